//! Planted faults, each found and told.
