//! For operators: the record of each finished request becomes metrics and one log line.

mod gauges;
mod log;
mod metrics;
pub mod panics;
mod record;

pub use gauges::{AccountGauges, BackendGauges, ServiceGauges, StoreGauges};
pub use log::start_log;
pub use metrics::Metrics;
pub use prometheus::Error as MetricsError;
pub use record::{Outcome, Record, RejectedBy, Route, Step};
