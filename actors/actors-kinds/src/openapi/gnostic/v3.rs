//! The messages of gnostic's `OpenAPIv3.proto` that our documents use.

use actors_object::Value;

use super::{Form, Message, Rest};

pub(super) static DOCUMENT: Message = Message {
    fields: &[
        ("openapi", 1, Form::Text),
        ("info", 2, Form::Of(&INFO)),
        ("paths", 4, Form::Of(&PATHS)),
        ("components", 5, Form::Of(&COMPONENTS)),
    ],
    rest: Rest::Extensions(9),
};

static INFO: Message = Message {
    fields: &[("title", 1, Form::Text), ("version", 6, Form::Text)],
    rest: Rest::Extensions(7),
};

static PATHS: Message = Message { fields: &[], rest: Rest::Entries(1, Form::Of(&PATH)) };

static PATH: Message = Message {
    fields: &[
        ("get", 4, Form::Of(&OPERATION)),
        ("put", 5, Form::Of(&OPERATION)),
        ("post", 6, Form::Of(&OPERATION)),
        ("delete", 7, Form::Of(&OPERATION)),
        ("options", 8, Form::Of(&OPERATION)),
        ("head", 9, Form::Of(&OPERATION)),
        ("patch", 10, Form::Of(&OPERATION)),
        ("parameters", 13, PARAMETERS),
    ],
    rest: Rest::Extensions(14),
};

/// Each is a `ParameterOrReference`.
const PARAMETERS: Form = Form::List(&Form::Within(1, &Form::Of(&PARAMETER)));

static OPERATION: Message = Message {
    fields: &[
        ("tags", 1, Form::List(&Form::Text)),
        ("description", 3, Form::Text),
        ("operationId", 5, Form::Text),
        ("parameters", 6, PARAMETERS),
        ("requestBody", 7, Form::Within(1, &Form::Of(&BODY))),
        ("responses", 8, Form::Of(&RESPONSES)),
        ("deprecated", 10, Form::Truth),
    ],
    rest: Rest::Extensions(13),
};

static PARAMETER: Message = Message {
    fields: &[
        ("name", 1, Form::Text),
        ("in", 2, Form::Text),
        ("description", 3, Form::Text),
        ("required", 4, Form::Truth),
        ("schema", 10, Form::Pick(schema)),
    ],
    rest: Rest::Extensions(14),
};

static BODY: Message = Message {
    fields: &[
        ("description", 1, Form::Text),
        ("content", 2, Form::Of(&MEDIA_TYPES)),
        ("required", 3, Form::Truth),
    ],
    rest: Rest::Extensions(4),
};

static MEDIA_TYPES: Message =
    Message { fields: &[], rest: Rest::Entries(1, Form::Of(&MEDIA_TYPE)) };

static MEDIA_TYPE: Message =
    Message { fields: &[("schema", 1, Form::Pick(schema))], rest: Rest::Extensions(5) };

static RESPONSES: Message =
    Message { fields: &[], rest: Rest::Entries(2, Form::Within(1, &Form::Of(&RESPONSE))) };

static RESPONSE: Message = Message {
    fields: &[("description", 1, Form::Text), ("content", 3, Form::Of(&MEDIA_TYPES))],
    rest: Rest::Extensions(5),
};

static COMPONENTS: Message =
    Message { fields: &[("schemas", 1, Form::Of(&SCHEMAS))], rest: Rest::Extensions(10) };

static SCHEMAS: Message = Message { fields: &[], rest: Rest::Entries(1, Form::Pick(schema)) };

/// `SchemaOrReference`.
fn schema(value: &Value) -> &'static Form {
    static REFERENCE: Form = Form::Within(2, &Form::Of(&REFERRED));
    static WHOLE: Form = Form::Within(1, &Form::Of(&SCHEMA));
    if value.at("$ref").as_str().is_some() { &REFERENCE } else { &WHOLE }
}

static REFERRED: Message = Message {
    fields: &[("$ref", 1, Form::Text), ("description", 3, Form::Text)],
    // A reference has no extensions: nothing is beside it in our documents.
    rest: Rest::Extensions(4),
};

static SCHEMA: Message = Message {
    fields: &[
        ("title", 9, Form::Text),
        ("uniqueItems", 20, Form::Truth),
        ("required", 23, Form::List(&Form::Text)),
        ("type", 25, Form::Text),
        ("allOf", 26, Form::List(&Form::Pick(schema))),
        ("oneOf", 27, Form::List(&Form::Pick(schema))),
        ("anyOf", 28, Form::List(&Form::Pick(schema))),
        ("items", 30, Form::Within(1, &Form::Pick(schema))),
        ("properties", 31, Form::Of(&SCHEMAS)),
        ("additionalProperties", 32, Form::Within(1, &Form::Pick(schema))),
        ("description", 34, Form::Text),
        ("format", 35, Form::Text),
    ],
    rest: Rest::Extensions(36),
};
