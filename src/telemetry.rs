//! For operators: the record of each finished request becomes metrics and one log line.
//!
//! Every metric is declared in [`ENTRIES`], and a test keeps `docs/metrics.md` equal to it.

mod backend_use;
#[cfg(test)]
mod document;
mod entry;
pub mod flood;
mod format;
mod gauges;
mod handles;
mod label;
mod line;
mod log;
mod metrics;
pub mod panics;
mod pledges;
mod possible;
mod process;
mod process_metrics;
mod record;
mod scrape;
mod series;
mod table;

pub use backend_use::{BackendNotes, BackendUse, Timing};
pub use entry::{Entry, Kind, LabelOf, Values};
pub use gauges::{AccountGauges, BackendGauges, IssuerGauges, KeyGauges, ProcessGauges, ServiceGauges, StoreGauges};
pub use handles::{
    BackendMetrics, BatchSizes, ByteCounter, ConnectionMetrics, OpenConnection, QueueMetrics, QueueTimer, StoreMetrics,
    TokenMetrics,
};
pub use label::{
    BackendClass, BudgetKind, CallerKind, Label, OutcomeName, PoolLabel, RejectedBy, Route, StatusClass, Step,
    StoreResult, StoreVerb, StripeOutcome, StripeType, TokenResult,
};
pub use line::milliseconds;
pub use log::{change_log, shown_client, start_log};
pub use metrics::Metrics;
pub use pledges::{OpenPledge, OpenPledges, PledgeGauges};
pub use process::Process;
pub use prometheus::Error as MetricsError;
pub use record::{Outcome, Record, StripeEvent};
pub use table::ENTRIES;
