//! The description of the API: OpenAPI 3.1, made of the handlers, and completed here with what holds for all of them.

use serde_json::{Map, Value as Json, json};
use utoipa::openapi::OpenApi;

/// Hand-written schemas of what people declare: the types live in crates that know nothing of HTTP.
const DECLARATIONS: &str = include_str!("declarations.json");

/// A name as [`crate::service::check_name`] takes it: one line without control characters, and not only spaces.
const NAME: &str = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$";
/// An e-mail address as [`crate::service::accounts`] takes it.
const EMAIL: &str = r"^[^\s@\x00-\x1f\x7f-\x9f]+@[^\s@.\x00-\x1f\x7f-\x9f]+(\.[^\s@.\x00-\x1f\x7f-\x9f]+)*$";
/// Somebody's words: as a name, with line breaks.
const WORDS: &str =
    r"^[^\x00-\x09\x0b-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x09\x0b-\x1f\x7f-\x9f]*$";

/// Problems that a request may run into, by status.
fn problem(status: &str) -> (String, Json) {
    let text = match status {
        "400" => "The request cannot be read: its query, a header, or a body that ends early.",
        "401" => "No session and no key, or one that does not work (any more).",
        "403" => "Not allowed: a role or a scope is missing, or a page of another site sent it.",
        "404" => "There is no such thing in this organisation.",
        "406" => "The client does not take JSON.",
        "408" => "The body came too slowly.",
        "409" => "It does not fit what is there.",
        "412" => "It is not as the condition of the request says.",
        "413" => "The body is too large.",
        "415" => "The body is not said to be JSON.",
        "422" => "Some fields are not valid; `errors` says which.",
        "429" => "Too many requests; `Retry-After` says when to try again.",
        "500" => "A fault of the server.",
        _ => "The database cannot be asked, or the server is busy; try again.",
    };
    let mut response = json!({
        "description": text,
        "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
    });
    if matches!(status, "429" | "503") {
        response["headers"] = json!({ "Retry-After": { "description": "Seconds to wait.", "schema": { "type": "integer", "minimum": 0 } } });
    }
    (status.to_owned(), response)
}

/// Completes a description: security, problems, tags, and the schemas of declarations.
pub(crate) fn complete(openapi: &OpenApi) -> Json {
    let mut document = serde_json::to_value(openapi).unwrap_or_default();
    document["info"] = json!({
        "title": "Landfall",
        "version": env!("CARGO_PKG_VERSION"),
        "description": "Why production is not serving what was built: monitors, incidents with their cause, audits.\n\n\
            Lists are keyset pages: `next` of one goes into `after` for the following one, and `Link` holds the same as a URL. \
            Errors are problems by RFC 9457. Limits are told by `RateLimit-Policy` and `RateLimit`.",
        "license": { "name": "Apache-2.0 OR MIT", "identifier": "Apache-2.0 OR MIT" },
    });
    document["servers"] = json!([{ "url": "/" }]);
    document["security"] = json!([{ "key": [] }, { "session": [] }]);
    let components = entry(&mut document, "components");
    components.insert("securitySchemes".into(), json!({
        "key": { "type": "http", "scheme": "bearer", "description": "An API key: `Authorization: Bearer lf_…`." },
        "session": { "type": "apiKey", "in": "cookie", "name": "landfall",
            "description": "A session; behind https the cookie is called `__Host-landfall`. Writes also need to come from a page of ours, or to carry `X-CSRF-Token`." },
    }));
    let schemas = components.entry("schemas").or_insert_with(|| json!({}));
    let declared: Map<String, Json> = serde_json::from_str(DECLARATIONS).unwrap_or_default();
    if let Some(schemas) = schemas.as_object_mut() {
        schemas.extend(declared);
        for (name, schema) in problem_schemas() {
            schemas.insert(name, schema);
        }
        for (schema, field, pattern) in [
            ("FirstRun", "name", NAME),
            ("FirstRun", "organisation", NAME),
            ("FirstRun", "email", EMAIL),
            ("Register", "name", NAME),
            ("Register", "organisation", NAME),
            ("Register", "email", EMAIL),
            ("Join", "email", EMAIL),
            ("Invite", "email", EMAIL),
            ("NewApiKey", "name", NAME),
            ("OrganisationChange", "name", NAME),
            ("MonitorSpec", "name", NAME),
            ("WindowSpec", "name", NAME),
            ("ChannelSpec", "name", NAME),
            ("StatusPageSpec", "title", NAME),
            ("NewAnnouncement", "title", NAME),
            ("NewAnnouncement", "say", WORDS),
            ("AnnouncementUpdate", "say", WORDS),
            ("Comment", "say", WORDS),
        ] {
            if let Some(property) =
                schemas.get_mut(schema).and_then(|s| s.pointer_mut(&format!("/properties/{field}")))
            {
                property["pattern"] = pattern.into();
            }
        }
    }
    for (path, item) in entry(&mut document, "paths").iter_mut() {
        for (method, operation) in item.as_object_mut().into_iter().flatten() {
            if let Some(operation) = operation.as_object_mut() {
                complete_operation(path, method, operation);
            }
        }
    }
    document
}

fn entry<'a>(document: &'a mut Json, key: &str) -> &'a mut Map<String, Json> {
    let object = document.as_object_mut().expect("a description is an object");
    let value = object.entry(key).or_insert_with(|| json!({}));
    if !value.is_object() {
        *value = json!({});
    }
    value.as_object_mut().expect("it was made one")
}

fn complete_operation(path: &str, method: &str, operation: &mut Map<String, Json>) {
    // `security: [{}]` is how the handlers say that nobody needs to be anybody; in OpenAPI an empty list says it best.
    let open = operation.get("security") == Some(&json!([{}]));
    if open {
        operation.insert("security".into(), json!([]));
    }
    let declares = match operation.get("operationId").and_then(Json::as_str) {
        Some("createMonitor" | "putMonitor") => Some("MonitorSpec"),
        Some("putWindow") => Some("WindowSpec"),
        Some("startAudit") => Some("NewReport"),
        Some("createChannel" | "putChannel") => Some("ChannelSpec"),
        _ => None,
    };
    if let Some(schema) = declares {
        operation.insert("requestBody".into(), json!({
            "required": true,
            "content": { "application/json": { "schema": { "$ref": format!("#/components/schemas/{schema}") } } },
        }));
    }
    let body = operation.contains_key("requestBody");
    let mut statuses = vec!["400", "403", "406", "429", "500", "503"];
    if !open {
        statuses.push("401");
    }
    if open && body {
        // A wrong password, a link that does not work, an address that is taken.
        statuses.extend(["401", "404", "409"]);
    }
    if path.contains('{') || (body && !open) {
        statuses.push("404");
    }
    if body {
        statuses.extend(["408", "413", "415", "422"]);
    }
    if method == "get" {
        statuses.push("422");
    }
    if method == "put" {
        statuses.extend(["409", "412"]);
    }
    let conditional = method == "put"
        && (path.contains("by-external-id") || path.contains("by-slug"))
        && !path.contains("/channels/");
    if conditional
        && let Some(parameters) = operation.entry("parameters").or_insert_with(|| json!([])).as_array_mut()
    {
        parameters.push(json!({ "name": "If-Match", "in": "header", "required": false,
            "description": "The `ETag` that was read: only that version is changed.", "schema": { "type": "string", "pattern": "^(W/)?\"[!#-~]*\"$" } }));
        parameters.push(json!({ "name": "If-None-Match", "in": "header", "required": false,
            "description": "`*`: only if there is none yet.", "schema": { "type": "string", "enum": ["*"] } }));
    }
    let responses = operation.entry("responses").or_insert_with(|| json!({}));
    let Some(responses) = responses.as_object_mut() else { return };
    for (status, response) in statuses.into_iter().map(problem) {
        let described = responses.get(&status).and_then(|r| r.get("description")).cloned();
        let slot = responses.entry(status).or_insert_with(|| response.clone());
        *slot = response;
        if let Some(described) = described.filter(|d| d.as_str().is_some_and(|d| !d.is_empty())) {
            slot["description"] = described;
        }
    }
    // The data of a stream is text; a schema here would be taken for one of the parsed events.
    for response in responses.values_mut() {
        if let Some(stream) =
            response.pointer_mut("/content/text~1event-stream").and_then(Json::as_object_mut)
        {
            stream.remove("schema");
        }
    }
    // What a handler says of a status of its own is a problem too.
    for (status, response) in responses.iter_mut() {
        if status.starts_with(['4', '5']) && response.get("content").is_none() {
            response["content"] = problem(status).1["content"].clone();
        }
        if status == "201" || status == "200" || status == "202" {
            let empty = response.get("description").and_then(Json::as_str).unwrap_or_default().is_empty();
            if empty {
                response["description"] = match status.as_str() {
                    "201" => "It is made.".into(),
                    "202" => "It is queued.".into(),
                    _ => "It.".into(),
                };
            }
        }
    }
}

fn problem_schemas() -> Vec<(String, Json)> {
    use utoipa::{PartialSchema as _, ToSchema as _};
    let mut schemas = Vec::new();
    crate::Problem::schemas(&mut schemas);
    schemas.push((crate::Problem::name().into_owned(), crate::Problem::schema()));
    schemas
        .into_iter()
        .map(|(name, schema)| (name, serde_json::to_value(schema).unwrap_or_default()))
        .collect()
}
