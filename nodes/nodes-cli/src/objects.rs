//! `get`, `apply`, `delete`, `logs`: a thin client for those without kubectl.
//!
//! Way in: [`get`].  Kinds are looked up in the API's own discovery, so that every served kind works.

use std::{
    fs,
    io::{Read as _, Write as _},
    path::Path,
};

use serde_json::{Value, json};

use crate::{
    Arguments, Caller, Failure, Output,
    actors::escape,
    arguments::{Files, LogsOptions, Query},
    client::Client,
    table,
    up::known,
};

/// A served kind, as discovery tells it.
pub(crate) struct Resource {
    base: String,
    plural: String,
    is_namespaced: bool,
}

impl Resource {
    /// The path of one object, or of the list.
    pub(crate) fn path(&self, namespace: Option<&str>, name: Option<&str>) -> String {
        let mut path = self.base.clone();
        if let Some(namespace) = namespace.filter(|_| self.is_namespaced) {
            path = format!("{path}/namespaces/{}", escape(namespace));
        }
        path = format!("{path}/{}", self.plural);
        match name {
            Some(name) => format!("{path}/{}", escape(name)),
            None => path,
        }
    }
}

/// Splits `pod/web`, or `pods a b`, into the kind and its names.
fn split(words: &[String]) -> Result<(&str, Vec<&str>), Failure> {
    let first = words.first().map(String::as_str).unwrap_or_default();
    match first.split_once('/') {
        Some((kind, name)) if words.len() == 1 => Ok((kind, vec![name])),
        Some(_) => Err(Failure::usage("give either KIND/NAME or KIND NAME...")),
        None => Ok((first, words.iter().skip(1).map(String::as_str).collect())),
    }
}

/// Asks discovery for a kind by its plural, singular, short name or kind.
pub(crate) fn lookup(client: &Client, wanted: &str) -> Result<Resource, Failure> {
    let lower = wanted.to_lowercase();
    let mut bases = vec![("v1".to_owned(), "/api/v1".to_owned())];
    let groups = client.get("/apis")?;
    for group in groups["groups"].as_array().into_iter().flatten() {
        let version = group["preferredVersion"]["groupVersion"].as_str().unwrap_or_default();
        bases.push((version.to_owned(), format!("/apis/{version}")));
    }
    for (_, base) in bases {
        let list = client.get(&base)?;
        for resource in list["resources"].as_array().into_iter().flatten() {
            let plural = resource["name"].as_str().unwrap_or_default();
            let short = resource["shortNames"]
                .as_array()
                .into_iter()
                .flatten()
                .any(|name| name == lower.as_str());
            let named =
                ["name", "singularName"].iter().any(|field| resource[*field] == lower.as_str());
            let kind = resource["kind"].as_str().unwrap_or_default().eq_ignore_ascii_case(&lower);
            if !plural.contains('/') && (short || named || kind) {
                let is_namespaced = resource["namespaced"].as_bool().unwrap_or(false);
                return Ok(Resource { base, plural: plural.to_owned(), is_namespaced });
            }
        }
    }
    Err(Failure::usage(format!("the server has no kind {wanted:?}")).next("kubectl api-resources"))
}

pub(crate) fn get(
    arguments: &Arguments,
    query: &Query,
    caller: &Caller<'_>,
    output: &Output,
) -> Result<(), Failure> {
    let client = Client::of(&known(arguments, caller)?)?;
    let (kind, names) = split(&query.words)?;
    let resource = lookup(&client, kind)?;
    let namespace = Some(query.namespace.as_str()).filter(|_| !query.all_namespaces);
    let selector =
        query.selector.as_deref().map(|labels| format!("?labelSelector={}", escape(labels)));
    let paths: Vec<String> = match names.is_empty() {
        true => vec![resource.path(namespace, None) + &selector.unwrap_or_default()],
        false => names.iter().map(|name| resource.path(namespace, Some(name))).collect(),
    };
    for path in paths {
        match output.is_json() {
            true => output.answer("", &client.get(&path)?)?,
            false => {
                output.answer(&rows(&client.table(&path)?, query.all_namespaces), &Value::Null)?
            }
        }
    }
    Ok(())
}

/// The columns of priority 0 of a server's Table.
fn rows(answer: &Value, with_namespace: bool) -> String {
    let columns: Vec<&Value> =
        answer["columnDefinitions"].as_array().into_iter().flatten().collect();
    let shown: Vec<usize> =
        (0..columns.len()).filter(|index| columns[*index]["priority"] == 0).collect();
    let title = |index: &usize| columns[*index]["name"].as_str().unwrap_or_default().to_uppercase();
    let mut header: Vec<String> = shown.iter().map(title).collect();
    if with_namespace {
        header.insert(0, "NAMESPACE".to_owned());
    }
    let mut lines = Vec::new();
    for row in answer["rows"].as_array().into_iter().flatten() {
        let cell = |index: &usize| match &row["cells"][*index] {
            Value::String(text) => text.clone(),
            Value::Null => "<none>".to_owned(),
            other => other.to_string(),
        };
        let mut line: Vec<String> = shown.iter().map(cell).collect();
        if with_namespace {
            line.insert(
                0,
                row["object"]["metadata"]["namespace"].as_str().unwrap_or("-").to_owned(),
            );
        }
        lines.push(line);
    }
    match lines.is_empty() {
        true => "nothing found".to_owned(),
        false => table::render(&header.iter().map(String::as_str).collect::<Vec<_>>(), &lines),
    }
}

pub(crate) fn apply(
    arguments: &Arguments,
    files: &Files,
    caller: &Caller<'_>,
    output: &Output,
) -> Result<(), Failure> {
    let client = Client::of(&known(arguments, caller)?)?;
    for path in &files.files {
        for mut object in documents(path)? {
            let (text, answer) = apply_one(&client, &mut object, &files.namespace)?;
            output.answer(&text, &answer)?;
        }
    }
    Ok(())
}

/// Creates the object; where it is there already, changes what the file says.
fn apply_one(
    client: &Client,
    object: &mut Value,
    namespace: &str,
) -> Result<(String, Value), Failure> {
    let kind = object["kind"].as_str().unwrap_or_default().to_owned();
    let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    if kind.is_empty() || name.is_empty() {
        return Err(Failure::usage("each document needs kind and metadata.name"));
    }
    let resource = lookup(client, &kind)?;
    let namespace = object["metadata"]["namespace"].as_str().unwrap_or(namespace).to_owned();
    if resource.is_namespaced {
        object["metadata"]["namespace"] = json!(namespace);
    }
    let title = format!("{}/{name}", resource.plural);
    match client.get(&resource.path(Some(&namespace), Some(&name))) {
        Ok(old) => {
            let new = client.merge(&resource.path(Some(&namespace), Some(&name)), object)?;
            let same = old["metadata"]["resourceVersion"] == new["metadata"]["resourceVersion"];
            Ok((format!("{title} {}", if same { "unchanged" } else { "configured" }), new))
        }
        Err(failure) if failure.code == 4 => {
            let new = client.post(&resource.path(Some(&namespace), None), object)?;
            Ok((format!("{title} created"), new))
        }
        Err(failure) => Err(failure),
    }
}

/// All documents of a file of YAML or JSON.
fn documents(path: &Path) -> Result<Vec<Value>, Failure> {
    let failed =
        |error: std::io::Error| Failure::new(format!("cannot read {}: {error}", path.display()));
    let mut text = String::new();
    match path == Path::new("-") {
        true => std::io::stdin().read_to_string(&mut text).map_err(failed)?,
        false => fs::File::open(path)
            .and_then(|mut file| file.read_to_string(&mut text))
            .map_err(failed)?,
    };
    let documents: Vec<Value> = serde_saphyr::from_multiple(&text).map_err(|error| {
        Failure::usage(format!("{} is neither YAML nor JSON: {error}", path.display()))
    })?;
    Ok(documents.into_iter().filter(|document| !document.is_null()).collect())
}

pub(crate) fn delete(
    arguments: &Arguments,
    query: &Query,
    caller: &Caller<'_>,
    output: &Output,
) -> Result<(), Failure> {
    let client = Client::of(&known(arguments, caller)?)?;
    let (kind, names) = split(&query.words)?;
    if names.is_empty() {
        return Err(Failure::usage("name the objects: starling delete KIND NAME..."));
    }
    let resource = lookup(&client, kind)?;
    for name in names {
        let answer = client.delete(&resource.path(Some(&query.namespace), Some(name)))?;
        output.answer(&format!("{}/{name} deleted", resource.plural), &answer)?;
    }
    Ok(())
}

pub(crate) fn logs(
    arguments: &Arguments,
    options: &LogsOptions,
    caller: &Caller<'_>,
) -> Result<(), Failure> {
    let client = Client::of(&known(arguments, caller)?)?;
    let base = format!(
        "/api/v1/namespaces/{}/pods/{}/log",
        escape(&options.namespace),
        escape(&options.pod)
    );
    let mut query = format!("?follow={}&previous={}", options.follow, options.previous);
    if let Some(container) = &options.container {
        query = format!("{query}&container={}", escape(container));
    }
    if let Some(tail) = options.tail {
        query = format!("{query}&tailLines={tail}");
    }
    let mut stream = client.stream(&format!("{base}{query}"))?;
    let mut stdout = std::io::stdout();
    let mut buffer = [0; 8_192];
    loop {
        let length = stream.read(&mut buffer).map_err(|error| Failure::of(&error))?;
        if length == 0 {
            return Ok(());
        }
        let bytes = buffer.get(..length).unwrap_or_default();
        stdout
            .write_all(bytes)
            .and_then(|()| stdout.flush())
            .map_err(|error| Failure::of(&error))?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_named_in_either_form() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(split(&words("pod/web")), Ok(("pod", vec!["web"])));
        assert_eq!(split(&words("pods a b")), Ok(("pods", vec!["a", "b"])));
        assert_eq!(split(&words("pod/a pod/b")).map_err(|failure| failure.code), Err(2));
    }
}
