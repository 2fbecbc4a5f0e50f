//! A request as it came, from bytes: bounded, well-formed, and not run yet.

use std::sync::Arc;

use apollo_compiler::response::JsonMap;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use futures_util::StreamExt;
use percent_encoding::percent_decode;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::time::{Instant, timeout, timeout_at};

use crate::app::LONGEST_WAIT;
use crate::graph::error::brief;
use crate::graph::{Code, Error};
use crate::operation::{Asked, Operations};

/// Why a request is not run, with the HTTP status that fits.
pub type Unread = (u16, Error);

/// Whether the body is said to be JSON, which no page can send elsewhere without asking first.
pub fn is_json(headers: &HeaderMap) -> bool {
    let sent = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut parts = sent.split(';').map(str::trim);
    let json = parts.next().is_some_and(|media| media.eq_ignore_ascii_case("application/json"));
    let charset = parts.find_map(|part| part.to_ascii_lowercase().strip_prefix("charset=").map(str::to_owned));
    json && charset.is_none_or(|charset| charset.trim_matches('"') == "utf-8")
}

/// Refuses what is compressed: the bound on a body is one on what is sent, and nothing is inflated.
pub fn is_plain(headers: &HeaderMap) -> Result<(), Unread> {
    match headers.get_all(CONTENT_ENCODING).iter().all(|coding| coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        true => Ok(()),
        false => Err((415, Error::bad_input("The body has to come as it is, without content-encoding."))),
    }
}

/// The whole body, within its bound and its time.
pub async fn body(body: Body, limit: usize, deadline: Instant) -> Result<Bytes, Unread> {
    match timeout_at(deadline, to_bytes(body, limit)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => {
            let message = format!("The body is larger than {limit} bytes, or broke off.");
            Err((413, Error::bad_input(message).by("bytes")))
        }
        Err(_) => Err((408, Error::bad_input("The body did not come in time."))),
    }
}

/// Lets a body that nobody wants pass by, for a while: with some of it unread the connection would be reset, and the caller
/// might never see the answer.
pub async fn drain(body: Body, limit: usize) {
    let mut frames = body.into_data_stream();
    let pass = async {
        let mut left = limit;
        while let Some(Ok(frame)) = frames.next().await
            && frame.len() <= left
        {
            left -= frame.len();
        }
    };
    // Who is slower than this is cut off.
    let _ = timeout(LONGEST_WAIT, pass).await;
}

/// Whether several requests came at once.
pub fn is_batch(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().first() == Some(&b'[')
}

/// The requests of a batch, as they came.
pub fn batch(bytes: &Bytes, most: usize) -> Result<Vec<Bytes>, Unread> {
    if most == 0 {
        let message = "The body is a list: batches are off, send each request by itself.";
        return Err((400, Error::bad_input(message).by("batch")));
    }
    let requests: Vec<&RawValue> = from_json(bytes, "The body")?;
    match requests.len() {
        0 => Err((400, Error::bad_input("The body is an empty list: there is nothing to answer."))),
        count if count > most => {
            let message = format!("The batch has {count} requests; it can have {most}.");
            Err((400, Error::over("batch", message)))
        }
        _ => Ok(requests.iter().map(|request| bytes.slice_ref(request.get().as_bytes())).collect()),
    }
}

/// One request in JSON.
pub fn from_body(bytes: &[u8]) -> Result<Asked, Unread> {
    with_document(from_json(bytes, "The body")?)
}

fn with_document(asked: Asked) -> Result<Asked, Unread> {
    match asked.has_document() {
        true => Ok(asked),
        false => Err((400, Error::bad_input("There is no `query` in it, and no `documentId` that stands for one."))),
    }
}

fn from_json<'a, T: Deserialize<'a>>(json: &'a [u8], what: &str) -> Result<T, Unread> {
    serde_json::from_slice(json).map_err(|why| {
        let message = format!("{what} is not a GraphQL request in JSON: {}.", brief(&why.to_string()));
        (400, Error::bad_input(message))
    })
}

/// The request of an address.
pub fn from_query(query: &[u8]) -> Result<Asked, Unread> {
    with_document(parts(query)?)
}

fn parts(query: &[u8]) -> Result<Asked, Unread> {
    if percent_decode(query).decode_utf8().is_err() {
        return Err((400, Error::bad_input("The address is not UTF-8.")));
    }
    let mut asked = Asked::default();
    let object = |name: &str, text: &str| -> Result<Option<JsonMap>, Unread> {
        from_json(text.as_bytes(), &format!("`{name}`"))
    };
    for (name, value) in form_urlencoded::parse(query) {
        match &*name {
            "query" if !value.is_empty() => asked.query = Some(value.into_owned()),
            "documentId" => asked.document_id = Some(value.into_owned()),
            "doc_id" => asked.doc_id = Some(value.into_owned()),
            "operationName" if !value.is_empty() => asked.operation_name = Some(value.into_owned()),
            "variables" if !value.is_empty() => asked.variables = object("variables", &value)?,
            "extensions" if !value.is_empty() => asked.extensions = object("extensions", &value)?,
            _ => {}
        }
    }
    Ok(asked)
}

/// A trusted operation by its name, then `?`, then a query that may have `variables`.
pub fn from_name(operations: &Operations, bytes: &[u8]) -> Result<Asked, Unread> {
    let text = String::from_utf8_lossy(bytes);
    let (name, query) = text.split_once('?').unwrap_or((&text, ""));
    let document = trusted(operations, name)?;
    let Asked { variables, .. } = parts(query.as_bytes())?;
    let query = Some(document.to_string());
    Ok(Asked { query, operation_name: Some(name.to_owned()), variables, ..Asked::default() })
}

/// The body of a request for a trusted operation with these variables; no bytes are none.
pub fn call(operations: &Operations, name: &str, variables: &[u8]) -> Result<Bytes, Unread> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Call<'a> {
        query: &'a str,
        operation_name: &'a str,
        variables: JsonMap,
    }
    let document = trusted(operations, name)?;
    let variables = match variables.trim_ascii() {
        [] => JsonMap::new(),
        json => serde_json::from_slice(json).map_err(|why| {
            let message = format!("The body is not a JSON object of variables: {}.", brief(&why.to_string()));
            (400, Error::bad_input(message))
        })?,
    };
    let call = serde_json::to_vec(&Call { query: &document, operation_name: name, variables });
    call.map(Bytes::from).map_err(|why| (500, Error::new(Code::Internal, why.to_string())))
}

/// The text of the manifest that has an operation of this name.
fn trusted(operations: &Operations, name: &str) -> Result<Arc<str>, Unread> {
    operations.text_with(name).ok_or_else(|| {
        let message = format!("There is no trusted document with one operation `{}`.", brief(name));
        (404, Error::new(Code::NotFound, message))
    })
}
