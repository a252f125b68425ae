//! Holds the dialects to their contracts.

mod canonical;
