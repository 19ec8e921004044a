//! Parts of a request whose mistakes are answered like all others.

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequestParts, Path as AxumPath, Query as AxumQuery};
use http::StatusCode;
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::error::ApiError;

/// The query.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let read: Result<AxumQuery<T>, QueryRejection> = AxumQuery::from_request_parts(parts, state).await;
        read.map(|AxumQuery(query)| Self(query)).map_err(|error| {
            let detail: String = error.body_text().chars().take(200).collect();
            ApiError::new(StatusCode::BAD_REQUEST, "bad_query", detail).hint("give every key once; /api/openapi.json says which there are")
        })
    }
}

/// The `{names}` of a path.
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let read: Result<AxumPath<T>, PathRejection> = AxumPath::from_request_parts(parts, state).await;
        read.map(|AxumPath(path)| Self(path))
            .map_err(|_| ApiError::new(StatusCode::NOT_FOUND, "not_found", "the path is no text in UTF-8").hint("begin at /api/status"))
    }
}
