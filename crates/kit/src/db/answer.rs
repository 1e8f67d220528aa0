//! What a caller hears when the database fails: try again later, or an error id to quote.

use super::{DbError, MaybeContended};
use crate::http::ApiError;

impl From<DbError> for ApiError {
    fn from(error: DbError) -> Self {
        if error.is_transient() { ApiError::unavailable(error) } else { ApiError::internal(error) }
    }
}

impl MaybeContended for ApiError {
    fn is_contended(&self) -> bool {
        let source = self.source.as_deref().and_then(|source| source.downcast_ref::<DbError>());
        matches!(source, Some(DbError::Contended))
    }
}
