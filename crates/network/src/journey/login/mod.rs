//! The forms by which people say and prove who they are, and open an account: the same in the purchase journey and in sign-in.

pub mod pages;
