//! The messages of gnostic's `OpenAPIv2.proto` that our document uses.

use actors_object::Value;

use super::{Form, Message, Rest};

pub(super) static DOCUMENT: Message = Message {
    fields: &[
        ("swagger", 1, Form::Text),
        ("info", 2, Form::Of(&INFO)),
        ("paths", 8, Form::Of(&PATHS)),
        ("definitions", 9, Form::Of(&SCHEMAS)),
    ],
    rest: Rest::Extensions(16),
};

static INFO: Message = Message {
    fields: &[("title", 1, Form::Text), ("version", 2, Form::Text)],
    rest: Rest::Extensions(7),
};

static PATHS: Message = Message { fields: &[], rest: Rest::Entries(2, Form::Of(&PATH)) };

static PATH: Message = Message {
    fields: &[
        ("get", 2, Form::Of(&OPERATION)),
        ("put", 3, Form::Of(&OPERATION)),
        ("post", 4, Form::Of(&OPERATION)),
        ("delete", 5, Form::Of(&OPERATION)),
        ("options", 6, Form::Of(&OPERATION)),
        ("head", 7, Form::Of(&OPERATION)),
        ("patch", 8, Form::Of(&OPERATION)),
        ("parameters", 9, Form::List(&Form::Pick(parameter))),
    ],
    rest: Rest::Extensions(10),
};

static OPERATION: Message = Message {
    fields: &[
        ("tags", 1, Form::List(&Form::Text)),
        ("description", 3, Form::Text),
        ("operationId", 5, Form::Text),
        ("produces", 6, Form::List(&Form::Text)),
        ("consumes", 7, Form::List(&Form::Text)),
        ("parameters", 8, Form::List(&Form::Pick(parameter))),
        ("responses", 9, Form::Of(&RESPONSES)),
        ("schemes", 10, Form::List(&Form::Text)),
        ("deprecated", 11, Form::Truth),
    ],
    rest: Rest::Extensions(13),
};

/// `ParametersItem` holds a `Parameter`, which holds a body or one of four others, told apart by `in`.
fn parameter(value: &Value) -> &'static Form {
    static IN_BODY: Form = Form::Within(1, &Form::Within(1, &Form::Of(&BODY)));
    static IN_QUERY: Form = Form::Within(1, &Form::Within(2, &Form::Within(3, &Form::Of(&QUERY))));
    static IN_PATH: Form = Form::Within(1, &Form::Within(2, &Form::Within(4, &Form::Of(&PART))));
    match value.str_at(&["in"]) {
        Some("body") => &IN_BODY,
        Some("path") => &IN_PATH,
        _ => &IN_QUERY,
    }
}

static BODY: Message = Message {
    fields: &[
        ("description", 1, Form::Text),
        ("name", 2, Form::Text),
        ("in", 3, Form::Text),
        ("required", 4, Form::Truth),
        ("schema", 5, Form::Of(&SCHEMA)),
    ],
    rest: Rest::Extensions(6),
};

static QUERY: Message = Message {
    fields: &[
        ("required", 1, Form::Truth),
        ("in", 2, Form::Text),
        ("description", 3, Form::Text),
        ("name", 4, Form::Text),
        ("type", 6, Form::Text),
        ("format", 7, Form::Text),
        ("uniqueItems", 20, Form::Truth),
    ],
    rest: Rest::Extensions(23),
};

static PART: Message = Message {
    fields: &[
        ("required", 1, Form::Truth),
        ("in", 2, Form::Text),
        ("description", 3, Form::Text),
        ("name", 4, Form::Text),
        ("type", 5, Form::Text),
        ("format", 6, Form::Text),
        ("uniqueItems", 19, Form::Truth),
    ],
    rest: Rest::Extensions(22),
};

static RESPONSES: Message =
    Message { fields: &[], rest: Rest::Entries(1, Form::Within(1, &Form::Of(&RESPONSE))) };

static RESPONSE: Message = Message {
    fields: &[("description", 1, Form::Text), ("schema", 2, Form::Within(1, &Form::Of(&SCHEMA)))],
    rest: Rest::Extensions(5),
};

static SCHEMAS: Message = Message { fields: &[], rest: Rest::Entries(1, Form::Of(&SCHEMA)) };

static SCHEMA: Message = Message {
    fields: &[
        ("$ref", 1, Form::Text),
        ("format", 2, Form::Text),
        ("title", 3, Form::Text),
        ("description", 4, Form::Text),
        ("uniqueItems", 16, Form::Truth),
        ("required", 19, Form::List(&Form::Text)),
        ("additionalProperties", 21, Form::Within(1, &Form::Of(&SCHEMA))),
        ("type", 22, Form::Within(1, &Form::Text)),
        ("items", 23, Form::Within(1, &Form::Of(&SCHEMA))),
        ("allOf", 24, Form::List(&Form::Of(&SCHEMA))),
        ("properties", 25, Form::Of(&SCHEMAS)),
    ],
    rest: Rest::Extensions(31),
};
