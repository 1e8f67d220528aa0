//! The Payment API's objects (sheets 03 and 06, shapes of RULINGS "Objects").
//!
//! Every member is optional and unknown ones are kept in `extra`; whether a body is complete is for [`crate::shape`] to say.

pub mod authorize;
pub mod request;
pub mod supplementary;
pub mod transaction;

pub use authorize::*;
pub use request::*;
pub use supplementary::*;
pub use transaction::*;
