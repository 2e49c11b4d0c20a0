//! For operators: the record of each finished request becomes metrics and one log line.

mod gauges;
mod log;
mod metrics;
pub mod panics;
mod process;
mod record;

pub use gauges::{AccountGauges, BackendGauges, KeyGauges, ProcessGauges, ServiceGauges, StoreGauges};
pub use log::start_log;
pub use metrics::Metrics;
pub use process::Process;
pub use prometheus::Error as MetricsError;
pub use record::{Outcome, Record, RejectedBy, Route, Step};
