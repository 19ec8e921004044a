//! The API in the words of OpenAPI 3.1, made of the table of routes and of the types that are sent.

use std::sync::OnceLock;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderValue, Method, header};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use utoipa::openapi::{RefOr, Schema};

use crate::dto::ProblemDto;
use crate::error::PROBLEM;
use crate::ports::Verb;
use crate::table::{Effect, Needs, Route, routes};

/// Collects the schemas of types, and refers to them.
type Collect = fn(&mut Vec<(String, RefOr<Schema>)>) -> String;

fn collect<T: ToSchema>(into: &mut Vec<(String, RefOr<Schema>)>) -> String {
    T::schemas(into);
    let name = T::name().into_owned();
    into.push((name.clone(), T::schema()));
    name
}

/// What a success answers.
#[derive(Clone, Copy)]
enum Content {
    Nothing,
    Json(Collect),
    /// Rows of this type and a cursor.
    Page(Collect),
    /// The same, or CSV.
    PageOrCsv(Collect),
    List(Collect),
    Text(&'static str),
    Socket,
}

/// What is said of a route.
#[derive(Clone, Copy)]
pub(crate) struct Doc {
    tag: &'static str,
    summary: &'static str,
    content: Content,
    query: &'static [Param],
    body: Option<(Collect, Wanted)>,
    /// Whether it also answers 503 with the same content.
    unready: bool,
}

#[derive(Clone, Copy)]
enum Wanted {
    Required,
    Optional,
}

/// A part of a query.
#[derive(Clone, Copy)]
pub(crate) struct Param {
    name: &'static str,
    text: &'static str,
    kind: ParamKind,
}

#[derive(Clone, Copy)]
enum ParamKind {
    Number(u64, u64),
    Text(usize),
    Word(&'static [&'static str]),
    Instant,
    Cursor,
}

const fn param(name: &'static str, kind: ParamKind, text: &'static str) -> Param {
    Param { name, text, kind }
}

const LIMIT: Param = param("limit", ParamKind::Number(1, 1_000), "Rows at most; 100 unless told.");
const BEFORE: Param = param("before", ParamKind::Cursor, "The `next` of an earlier page.");
const SYMBOL: Param = param("symbol", ParamKind::Text(20), "Only of this symbol.");
const SIDE: Param = param("side", ParamKind::Word(&["buy", "sell"]), "Only of this side.");
const SINCE: Param = param("since", ParamKind::Instant, "From this instant.");
const UNTIL: Param = param("until", ParamKind::Instant, "Up to this instant.");
const FROM: Param = param("from", ParamKind::Instant, "From this instant.");
const TO: Param = param("to", ParamKind::Instant, "Up to this instant; now unless told.");
const LEVEL: Param = param("level", ParamKind::Word(&["error", "warn", "info", "debug", "trace"]), "Only what is at least so urgent.");
const CONTAINS: Param = param("contains", ParamKind::Text(200), "Only lines with this text, in either case of A to Z.");
const STATUS: Param = param(
    "status",
    ParamKind::Word(&["new", "partially_filled", "filled", "canceled", "expired", "rejected"]),
    "Only orders in this state.",
);

/// A list's page.
pub(crate) const PAGE: &[Param] = &[LIMIT, BEFORE];
/// Orders of all symbols.
pub(crate) const ORDERS: &[Param] = &[SYMBOL, STATUS, SIDE, SINCE, UNTIL, LIMIT, BEFORE];
/// Executions of all symbols.
pub(crate) const FILLS: &[Param] = &[SYMBOL, SIDE, SINCE, UNTIL, LIMIT, BEFORE];
/// Lines of the log.
pub(crate) const LOGS: &[Param] = &[LEVEL, CONTAINS, FROM, TO, LIMIT, BEFORE];
/// What a viewer of the log wants.
pub(crate) const LOGS_LIVE: &[Param] = &[LEVEL, CONTAINS];
/// Days.
pub(crate) const DAYS: &[Param] = &[FROM, TO];
/// Samples of the process.
pub(crate) const SAMPLES: &[Param] = &[FROM, TO, param("points", ParamKind::Number(8, 10_000), "Points at most; 500 unless told.")];
/// The equity line.
pub(crate) const EQUITY: &[Param] = &[
    param("since", ParamKind::Number(0, 9_007_199_254_740_991), "From this instant, in milliseconds since 1970."),
    param("until", ParamKind::Number(0, 9_007_199_254_740_991), "Up to this instant, likewise; now unless told."),
    param("points", ParamKind::Number(2, 10_000), "Points at most; 500 unless told."),
];
/// Candles.
pub(crate) const CANDLES: &[Param] = &[
    param("interval", ParamKind::Word(&["1m", "5m", "15m", "1h", "4h", "1d"]), "Their length; 1m unless told."),
    param("limit", ParamKind::Number(1, 1_000), "Candles at most; 500 unless told."),
];
/// What was done.
pub(crate) const AUDIT: &[Param] = &[param("action", ParamKind::Text(40), "Only of this kind."), LIMIT, BEFORE];
/// What a subscriber watches.
pub(crate) const WATCH: &[Param] = &[param("watch", ParamKind::Text(100), "Symbols to watch from the start, with commas between them.")];
/// A profile of the processor.
pub(crate) const PROFILE: &[Param] = &[param("seconds", ParamKind::Number(1, 60), "How long; 10 unless told.")];

impl Doc {
    const fn new(tag: &'static str, summary: &'static str, content: Content) -> Self {
        Self { tag, summary, content, query: &[], body: None, unready: false }
    }

    pub(crate) const fn json<T: ToSchema>(tag: &'static str, summary: &'static str) -> Self {
        Self::new(tag, summary, Content::Json(collect::<T>))
    }

    pub(crate) const fn page<T: ToSchema>(tag: &'static str, summary: &'static str) -> Self {
        Self::new(tag, summary, Content::Page(collect::<T>)).query(PAGE)
    }

    pub(crate) const fn table<T: ToSchema>(tag: &'static str, summary: &'static str) -> Self {
        Self::new(tag, summary, Content::PageOrCsv(collect::<T>))
    }

    pub(crate) const fn list<T: ToSchema>(tag: &'static str, summary: &'static str) -> Self {
        Self::new(tag, summary, Content::List(collect::<T>))
    }

    pub(crate) const fn nothing(tag: &'static str, summary: &'static str) -> Self {
        Self::new(tag, summary, Content::Nothing)
    }

    pub(crate) const fn text(tag: &'static str, summary: &'static str, kind: &'static str) -> Self {
        Self::new(tag, summary, Content::Text(kind))
    }

    pub(crate) const fn socket(tag: &'static str, summary: &'static str) -> Self {
        Self::new(tag, summary, Content::Socket)
    }

    pub(crate) const fn query(self, query: &'static [Param]) -> Self {
        Self { query, ..self }
    }

    pub(crate) const fn takes<T: ToSchema>(self) -> Self {
        Self { body: Some((collect::<T>, Wanted::Required)), ..self }
    }

    pub(crate) const fn may_take<T: ToSchema>(self) -> Self {
        Self { body: Some((collect::<T>, Wanted::Optional)), ..self }
    }

    pub(crate) const fn or_unready(self) -> Self {
        Self { unready: true, ..self }
    }
}

/// Sends it.
pub(crate) async fn document() -> Response {
    let kind = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, kind)], text()).into_response()
}

/// The text, which is made once.
pub(crate) fn text() -> Bytes {
    static TEXT: OnceLock<Bytes> = OnceLock::new();
    TEXT.get_or_init(|| Bytes::from(serde_json::to_vec_pretty(&describe(&routes())).unwrap_or_default())).clone()
}

fn describe(routes: &[Route]) -> Value {
    let mut schemas = Vec::new();
    let mut paths: Map<String, Value> = Map::new();
    collect::<ProblemDto>(&mut schemas);
    for route in routes {
        let operation = operation(route, &mut schemas);
        let path = paths.entry(route.rule.path).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            path.insert(route.rule.method.as_str().to_ascii_lowercase(), operation);
        }
    }
    let mut named: Map<String, Value> = Map::new();
    for (name, schema) in schemas {
        named.insert(name, serde_json::to_value(schema).unwrap_or(Value::Null));
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Plimsoll",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "See and command a trading bot.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "paths": paths,
        "components": {
            "schemas": named,
            "responses": {
                "Problem": {
                    "description": "Every answer that is no success (RFC 9457); branch on `code`.",
                    "content": { PROBLEM: { "schema": { "$ref": "#/components/schemas/ProblemDto" } } },
                },
            },
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer", "description": "The admin token, or one that was made for a program." },
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "plimsoll_session",
                    "description": "A login of the dashboard. What changes something also carries X-CSRF-Token.",
                },
            },
        },
    })
}

fn operation(route: &Route, schemas: &mut Vec<(String, RefOr<Schema>)>) -> Value {
    let Doc { tag, summary, content, query, body, unready } = route.doc;
    let rule = &route.rule;
    let mut parameters: Vec<Value> = names(rule.path).map(path_param).collect();
    parameters.extend(query.iter().map(query_param));
    let mut responses = Map::new();
    let (status, told) = told(content, rule, schemas);
    if unready {
        responses.insert("503".to_owned(), told.clone());
    }
    responses.insert(status.to_owned(), told);
    responses.insert("default".to_owned(), json!({ "$ref": "#/components/responses/Problem" }));
    let mut security = match rule.needs {
        Needs::Nothing | Needs::Known => json!([{}]),
        Needs::OpenReading => json!([{}, { "token": [] }, { "session": [] }]),
        Needs::Scope(_) => json!([{ "token": [] }, { "session": [] }]),
    };
    if rule.needs == Needs::Known {
        security = json!([{}, { "token": [] }, { "session": [] }]);
    }
    let mut description = match rule.needs {
        Needs::Nothing | Needs::Known => "Open to everybody.".to_owned(),
        Needs::OpenReading => "Open on this machine while web.open_reading is set; else scope read.".to_owned(),
        Needs::Scope(scope) => format!("Scope {}.", scope.as_str()),
    };
    if let Effect::Changes(action) = rule.effect {
        description.push_str(&format!(" Written down as `{action}`."));
    }
    let mut operation = json!({
        "tags": [tag],
        "summary": summary,
        "description": description,
        "operationId": format!("{}{}", rule.method.as_str().to_ascii_lowercase(), rule.path.replace(['/', '.'], "_").replace(['{', '}'], "")),
        "parameters": parameters,
        "responses": responses,
        "security": security,
    });
    if let (Some((collect, wanted)), Some(operation)) = (body, operation.as_object_mut()) {
        let schema = json!({ "$ref": format!("#/components/schemas/{}", collect(schemas)) });
        let required = matches!(wanted, Wanted::Required);
        operation
            .insert("requestBody".to_owned(), json!({ "required": required, "content": { "application/json": { "schema": schema } } }));
    }
    operation
}

fn told(content: Content, rule: &crate::table::RouteRule, schemas: &mut Vec<(String, RefOr<Schema>)>) -> (&'static str, Value) {
    let mut reference = |collect: Collect| json!({ "$ref": format!("#/components/schemas/{}", collect(schemas)) });
    let json_of = |schema: Value| json!({ "description": "Done.", "content": { "application/json": { "schema": schema } } });
    let page_of = |row: Value| {
        json!({
            "type": "object",
            "required": ["items", "next"],
            "properties": {
                "items": { "type": "array", "items": row },
                "next": { "type": ["string", "null"], "description": "Give it as `before` to get the next page; null on the last." },
            },
        })
    };
    match content {
        Content::Nothing => ("204", json!({ "description": "Done." })),
        Content::Json(collect) => ("200", json_of(reference(collect))),
        Content::List(collect) => ("200", json_of(json!({ "type": "array", "items": reference(collect) }))),
        Content::Page(collect) => ("200", json_of(page_of(reference(collect)))),
        Content::PageOrCsv(collect) => {
            let mut told = json_of(page_of(reference(collect)));
            if let Some(kinds) = told.pointer_mut("/content").and_then(Value::as_object_mut) {
                kinds.insert("text/csv".to_owned(), json!({ "schema": { "type": "string" } }));
            }
            ("200", told)
        }
        Content::Text(kind) => ("200", json!({ "description": "Done.", "content": { kind: { "schema": { "type": "string" } } } })),
        Content::Socket => {
            debug_assert_eq!(rule.method, Method::GET);
            ("101", json!({ "description": "The connection becomes a WebSocket." }))
        }
    }
}

/// The `{names}` of a path.
fn names(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

fn path_param(name: &str) -> Value {
    let schema = match name {
        "verb" => json!({ "type": "string", "enum": Verb::ALL.map(Verb::as_str) }),
        _ => json!({ "type": "string", "minLength": 1, "maxLength": 64 }),
    };
    json!({ "name": name, "in": "path", "required": true, "schema": schema })
}

fn query_param(param: &Param) -> Value {
    let schema = match param.kind {
        ParamKind::Number(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        ParamKind::Text(most) => json!({ "type": "string", "maxLength": most }),
        ParamKind::Word(words) => json!({ "type": "string", "enum": words }),
        ParamKind::Instant => json!({ "type": "string", "description": crate::when::WANTED }),
        ParamKind::Cursor => json!({ "type": "string", "maxLength": 64 }),
    };
    json!({ "name": param.name, "in": "query", "required": false, "description": param.text, "schema": schema })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every `$ref` of a document.
    fn references(value: &Value, into: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                into.extend(map.get("$ref").and_then(Value::as_str).map(str::to_owned));
                map.values().for_each(|value| references(value, into));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, into)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_leads_somewhere_and_every_route_is_there() {
        let document = describe(&routes());
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(found.len() > 50);
        for reference in found {
            assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
        }
        let operations: usize = document["paths"].as_object().unwrap().values().map(|path| path.as_object().unwrap().len()).sum();
        assert_eq!(operations, routes().len());
        let ids: std::collections::BTreeSet<&str> = document["paths"]
            .as_object()
            .unwrap()
            .values()
            .flat_map(|path| path.as_object().unwrap().values())
            .map(|operation| operation["operationId"].as_str().unwrap())
            .collect();
        assert_eq!(ids.len(), operations);
    }

    #[test]
    fn the_committed_document_is_this_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
        let now = String::from_utf8(text().to_vec()).unwrap() + "\n";
        if std::env::var_os("PLIMSOLL_UPDATE_SNAPSHOTS").is_some() {
            std::fs::write(path, &now).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        let differs = committed.lines().zip(now.lines()).position(|(before, after)| before != after);
        assert!(committed == now, "it differs from line {differs:?} on: run the test with PLIMSOLL_UPDATE_SNAPSHOTS=1");
    }
}
