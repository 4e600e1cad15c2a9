//! What can the API do, for machines (`/openapi.json`) and for readers (`/docs`)? Made from the handlers themselves.

use std::sync::{Arc, LazyLock};

use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use utoipa::openapi::path::{ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa::openapi::{OpenApi, RefOr, Required, Server};
use utoipa::{Modify, OpenApi as _};
use utoipa_swagger_ui::{Config, serve};

use super::error::{ApiError, ErrorBody, internal, no_route};

/// What the handlers do not say.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Harkback",
        description = "Graph memory for voice agents. Speaks the duohub Retriever API.",
    ),
    // Its route takes any path below, whose signature says whether it is one of ours.
    paths(super::uploads::put_upload),
    components(schemas(ErrorBody)),
    security(("APIKeyHeader" = [])),
    modifiers(&ApiKeyHeader),
)]
struct Frame;

struct ApiKeyHeader;

impl Modify for ApiKeyHeader {
    fn modify(&self, api: &mut OpenApi) {
        let scheme = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-API-Key")));
        api.components.get_or_insert_default().add_security_scheme("APIKeyHeader", scheme);
        api.servers = Some(vec![Server::new("/")]);
    }
}

/// The document without any route.
pub(super) fn frame() -> OpenApi {
    Frame::openapi()
}

/// The document with what all POSTs have in common.
pub(super) fn finished(mut document: OpenApi) -> OpenApi {
    let text =
        || ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(255));
    for path in document.paths.paths.values_mut() {
        let Some(post) = &mut path.post else { continue };
        let key = ParameterBuilder::new()
            .name("Idempotency-Key")
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some(
                "A text of the caller's choice: the same request with the same key is answered as it was the first \
                 time, for 24 hours, without being carried out again",
            ))
            .schema(Some(text()));
        post.parameters.get_or_insert_default().push(RefOr::T(key.build()));
    }
    document
}

static DOCS: LazyLock<Arc<Config<'static>>> =
    LazyLock::new(|| Arc::new(Config::from("/openapi.json").validator_url("none")));

/// The page that shows the document. Its parts are named from the root, so that it works with and without a slash.
pub(super) async fn get_docs() -> Result<Response, ApiError> {
    let page = docs_file("index.html")?;
    let text = String::from_utf8_lossy(&page.bytes)
        .replace("href=\"./", "href=\"/docs/")
        .replace("src=\"./", "src=\"/docs/")
        .replace("href=\"index.css\"", "href=\"/docs/index.css\"");
    Ok(([(header::CONTENT_TYPE, page.content_type)], text).into_response())
}

/// A part of that page.
pub(super) async fn get_docs_file(Path(name): Path<String>) -> Result<Response, ApiError> {
    let file = docs_file(&name)?;
    let mut response =
        ([(header::CONTENT_TYPE, file.content_type)], file.bytes.into_owned()).into_response();
    if file.gzpipped {
        response
            .headers_mut()
            .insert(header::CONTENT_ENCODING, header::HeaderValue::from_static("gzip"));
    }
    Ok(response)
}

fn docs_file(name: &str) -> Result<utoipa_swagger_ui::SwaggerFile<'static>, ApiError> {
    serve(name, Arc::clone(&DOCS)).map_err(|e| internal(e.to_string()))?.ok_or_else(no_route)
}
