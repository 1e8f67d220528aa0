//! Operations of this room.

use crate::operation::Route;

/// The operations of this room.
pub fn routes() -> Vec<Route> {
    Vec::new()
}
