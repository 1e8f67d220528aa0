//! Calls as an HTTP Archive, version 1.2, for the tools that read it.

use protocol::Timestamp;
use serde_json::{Value, json};

use super::Message;
use super::find::Call;

/// The archive of these calls, oldest first.
pub(crate) fn archive(base_url: &str, calls: &[Call]) -> Value {
    let entries: Vec<Value> = calls.iter().rev().map(|call| entry(base_url, call)).collect();
    json!({"log": {
        "version": "1.2",
        "creator": {"name": "Kontor", "version": env!("CARGO_PKG_VERSION")},
        "entries": entries,
    }})
}

fn entry(base_url: &str, call: &Call) -> Value {
    let (row, detail) = (&call.row, &call.detail);
    let query = detail.query.as_deref().map(|query| format!("?{query}")).unwrap_or_default();
    let pairs: Vec<Value> = url::form_urlencoded::parse(detail.query.as_deref().unwrap_or_default().as_bytes())
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect();
    let started = Timestamp::from_micros(row.occurred_at).map(|time| time.to_string()).unwrap_or_default();
    // The format wants milliseconds, with a fraction.
    let millis = row.duration_us as f64 / 1_000.0;
    let mut request = json!({
        "method": row.method,
        "url": format!("{base_url}{}{query}", row.path),
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": headers(&detail.request),
        "queryString": pairs,
        "headersSize": -1,
        "bodySize": detail.request.bytes,
    });
    if detail.request.bytes > 0 {
        request["postData"] = json!({"mimeType": media_type(&detail.request), "text": detail.request.body});
    }
    let status = row.status.unwrap_or(0);
    let reason = u16::try_from(status).ok().and_then(|status| http::StatusCode::from_u16(status).ok());
    json!({
        "startedDateTime": started,
        "time": millis,
        "request": request,
        "response": {
            "status": status,
            "statusText": reason.and_then(|status| status.canonical_reason()).unwrap_or_default(),
            "httpVersion": "HTTP/1.1",
            "cookies": [],
            "headers": headers(&detail.response),
            "content": {
                "size": detail.response.bytes,
                "mimeType": media_type(&detail.response),
                "text": detail.response.body,
            },
            "redirectURL": header(&detail.response, "location"),
            "headersSize": -1,
            "bodySize": detail.response.bytes,
        },
        "cache": {},
        "timings": {"send": 0, "wait": millis, "receive": 0},
        "_operation": row.operation,
        "_callId": row.call_id,
    })
}

fn headers(message: &Message) -> Vec<Value> {
    message.headers.iter().map(|(name, value)| json!({"name": name, "value": value})).collect()
}

fn header<'a>(message: &'a Message, name: &str) -> &'a str {
    message.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
}

fn media_type(message: &Message) -> &str {
    header(message, "content-type")
}
