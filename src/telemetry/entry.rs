//! The description of one metric, and how it is registered.

use super::label::Label;
use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry, Result,
    core::Collector,
};

/// One metric.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Its part of the list.
    pub section: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Its meaning, for people.
    pub help: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Its labels, three at most.
    pub labels: &'static [LabelOf],
    /// The upper bounds of a histogram's buckets, without the last one, which has none.
    pub buckets: &'static [f64],
}

/// The type of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// A state.
    Gauge,
    /// A distribution.
    Histogram,
}

impl Kind {
    /// The name that Prometheus gives it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A label of a metric.
#[derive(Clone, Copy, Debug)]
pub struct LabelOf {
    /// Its name.
    pub name: &'static str,
    /// Its values.
    pub values: Values,
}

/// The values that a label can have.
#[derive(Clone, Copy, Debug)]
pub enum Values {
    /// These.
    Closed(&'static [&'static str]),
    /// What the configuration or the build says; described in words.
    Configured(&'static str),
}

impl LabelOf {
    /// A label with the values of this type.
    pub(super) const fn closed<L: Label>(name: &'static str) -> Self {
        Self { name, values: Values::Closed(L::NAMES) }
    }

    /// A label whose values are known at the start.
    pub(super) const fn configured(name: &'static str, what: &'static str) -> Self {
        Self { name, values: Values::Configured(what) }
    }
}

impl Entry {
    fn options(&self) -> Opts {
        Opts::new(self.name, self.help)
    }

    fn histogram(&self) -> HistogramOpts {
        HistogramOpts::new(self.name, self.help).buckets(self.buckets.to_vec())
    }

    fn label_names(&self) -> Vec<&'static str> {
        self.labels.iter().map(|label| label.name).collect()
    }

    /// Makes the metric, and registers it.
    pub(super) fn register<M: Metric>(&self, registry: &Registry) -> Result<M> {
        let metric = M::of(self)?;
        registry.register(Box::new(metric.clone()))?;
        Ok(metric)
    }
}

/// The library's type of a metric.
pub(super) trait Metric: Collector + Clone + Sized + 'static {
    const KIND: Kind;

    fn of(entry: &Entry) -> Result<Self>;
}

impl Metric for IntCounter {
    const KIND: Kind = Kind::Counter;

    fn of(entry: &Entry) -> Result<Self> {
        Self::with_opts(entry.options())
    }
}

impl Metric for IntCounterVec {
    const KIND: Kind = Kind::Counter;

    fn of(entry: &Entry) -> Result<Self> {
        Self::new(entry.options(), &entry.label_names())
    }
}

impl Metric for Gauge {
    const KIND: Kind = Kind::Gauge;

    fn of(entry: &Entry) -> Result<Self> {
        Self::with_opts(entry.options())
    }
}

impl Metric for GaugeVec {
    const KIND: Kind = Kind::Gauge;

    fn of(entry: &Entry) -> Result<Self> {
        Self::new(entry.options(), &entry.label_names())
    }
}

impl Metric for Histogram {
    const KIND: Kind = Kind::Histogram;

    fn of(entry: &Entry) -> Result<Self> {
        Self::with_opts(entry.histogram())
    }
}

impl Metric for HistogramVec {
    const KIND: Kind = Kind::Histogram;

    fn of(entry: &Entry) -> Result<Self> {
        Self::new(entry.histogram(), &entry.label_names())
    }
}

/// A gauge that has no value before it is known, and is not shown until then.
pub(super) type LaterGauge = GaugeVec;

/// Sets a gauge once its value is known.
pub(super) fn set_later(gauge: &LaterGauge, value: f64) {
    gauge.with_label_values::<&str>(&[]).set(value);
}

/// Declares the metrics. The documentation of each is its help.
macro_rules! metrics {
    ($($section:literal {
        $($(#[doc = $help:literal])+ $field:ident: $kind:ident = $name:literal [$($label:expr),*] $(in $buckets:expr)?;)+
    })+) => {
        /// Every metric.
        pub const ENTRIES: &[Entry] = &[$($(Entry {
            section: $section,
            name: $name,
            help: concat!($($help),+).trim_ascii_start(),
            kind: <$kind as Metric>::KIND,
            labels: &[$($label),*],
            buckets: metrics!(@buckets $($buckets)?),
        },)+)+];

        /// Every metric, registered.
        pub(super) struct Table {
            $($($(#[doc = $help])+ pub(super) $field: $kind,)+)+
        }

        impl Table {
            /// Registers every metric. Fails only if two have the same name.
            pub(super) fn register(registry: &Registry) -> Result<Self> {
                let mut entries = ENTRIES.iter();
                let mut next = || entries.next().ok_or_else(|| prometheus::Error::Msg("too few entries".into()));
                // The fields are in the order of the entries.
                Ok(Self { $($($field: next()?.register(registry)?,)+)+ })
            }
        }
    };
    (@buckets) => { &[] };
    (@buckets $buckets:expr) => { $buckets };
}

pub(super) use metrics;
