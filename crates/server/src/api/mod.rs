//! `/api/v1`: everything that the pages do, as JSON.

pub mod model;
