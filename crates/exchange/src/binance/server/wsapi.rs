//! The WebSocket API: requests read, replies written.

use super::error::ApiError;
use super::json::Object;
use super::orders::json_params;
use super::params::Params;

/// A request over the WebSocket API.
#[derive(Clone, Debug)]
pub struct WsRequest {
    /// The client's id of it as JSON text: a number, a string, or `null`.
    pub id: String,
    /// What to do.
    pub method: String,
    /// Its parameters.
    pub params: Params,
}

/// Reads a request.
///
/// # Errors
/// The client's id as far as it could be read, and the error to answer.
pub fn parse_ws_request(text: &str) -> Result<WsRequest, (String, ApiError)> {
    let none = || "null".to_owned();
    let malformed = |id: String, what: &str| (id, ApiError::illegal(what, "a JSON request"));
    let value: serde_json::Value = serde_json::from_str(text).map_err(|_| malformed(none(), "request"))?;
    let id = match value.get("id") {
        Some(id @ (serde_json::Value::Number(_) | serde_json::Value::String(_))) => id.to_string(),
        _ => none(),
    };
    let Some(method) = value.get("method").and_then(serde_json::Value::as_str) else { return Err(malformed(id, "method")) };
    let pairs = match value.get("params") {
        None | Some(serde_json::Value::Null) => Some(Vec::new()),
        Some(serde_json::Value::Object(object)) => json_params(object.clone()),
        Some(_) => None,
    };
    let Some(pairs) = pairs else { return Err(malformed(id, "params")) };
    match Params::from_pairs(pairs) {
        Ok(params) => Ok(WsRequest { id, method: method.to_owned(), params }),
        Err(error) => Err((id, error)),
    }
}

/// What a reply says of the limits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Used {
    /// Weight allowed in a minute.
    pub weight_limit: u32,
    /// Weight used in this minute.
    pub weight: u32,
}

fn write_limits(out: &mut String, used: Used) {
    out.push('[');
    Object::new(out)
        .quoted("rateLimitType", "REQUEST_WEIGHT")
        .quoted("interval", "MINUTE")
        .bare("intervalNum", 1)
        .bare("limit", used.weight_limit)
        .bare("count", used.weight)
        .end();
    out.push(']');
}

/// Writes the reply to a request that was carried out; `result` is a finished document.
pub fn write_ws_result(out: &mut String, id: &str, result: &str, used: Used) {
    Object::new(out).bare("id", id).bare("status", 200).bare("result", result).with("rateLimits", |out| write_limits(out, used)).end();
}

/// Writes the reply to a request that was not carried out.
pub fn write_ws_error(out: &mut String, id: &str, error: &ApiError, used: Used) {
    Object::new(out)
        .bare("id", id)
        .bare("status", error.status)
        .with("error", |out| error.write(out))
        .with("rateLimits", |out| write_limits(out, used))
        .end();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_request_and_answers_with_its_id() {
        let text = r#"{"id":"a-1","method":"order.place","params":{"symbol":"BTCUSDT","timestamp":5,"reduceOnly":false,"none":null}}"#;
        let request = parse_ws_request(text).unwrap();
        assert_eq!((request.id.as_str(), request.method.as_str()), ("\"a-1\"", "order.place"));
        assert_eq!(request.params.iter().count(), 3);
        let mut out = String::new();
        write_ws_error(&mut out, &request.id, &ApiError::signature(), Used { weight_limit: 2400, weight: 3 });
        let value: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!(
            (value["id"].as_str(), value["error"]["code"].as_i64(), value["status"].as_i64()),
            (Some("a-1"), Some(-1022), Some(400))
        );
    }

    #[test]
    fn refuses_what_is_no_request() {
        for (text, id) in [("x", "null"), (r#"{"id":1}"#, "1"), (r#"{"id":2,"method":"a","params":[]}"#, "2")] {
            let (found, error) = parse_ws_request(text).unwrap_err();
            assert_eq!((found.as_str(), error.code), (id, -1100), "{text}");
        }
    }
}
