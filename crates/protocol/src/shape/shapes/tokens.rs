//! Identity and interoperability.
