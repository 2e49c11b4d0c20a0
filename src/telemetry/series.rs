//! The series of one metric, found by the numbers of their labels' values: a hash of words for every picture would cost
//! more than counting it.

use super::label::Label;
use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec};
use std::{marker::PhantomData, sync::OnceLock};

/// The values of all labels of a metric.
pub(super) trait Key: Copy {
    /// How many there are.
    const COUNT: usize;

    /// The number of this one.
    fn number(self) -> usize;

    /// The labels' values.
    fn words(self) -> Vec<&'static str>;
}

impl<A: Label> Key for (A,) {
    const COUNT: usize = A::NAMES.len();

    fn number(self) -> usize {
        self.0.number()
    }

    fn words(self) -> Vec<&'static str> {
        vec![self.0.as_str()]
    }
}

impl<A: Label, B: Label> Key for (A, B) {
    const COUNT: usize = A::NAMES.len() * B::NAMES.len();

    fn number(self) -> usize {
        self.0.number() * B::NAMES.len() + self.1.number()
    }

    fn words(self) -> Vec<&'static str> {
        vec![self.0.as_str(), self.1.as_str()]
    }
}

impl<A: Label, B: Label, C: Label> Key for (A, B, C) {
    const COUNT: usize = <(A, B)>::COUNT * C::NAMES.len();

    fn number(self) -> usize {
        (self.0, self.1).number() * C::NAMES.len() + self.2.number()
    }

    fn words(self) -> Vec<&'static str> {
        vec![self.0.as_str(), self.1.as_str(), self.2.as_str()]
    }
}

/// A metric whose series have labels.
pub(super) trait Family: Clone {
    /// One series.
    type Series;

    /// The series with these values.
    fn with(&self, words: &[&str]) -> Self::Series;
}

impl Family for IntCounterVec {
    type Series = IntCounter;

    fn with(&self, words: &[&str]) -> IntCounter {
        self.with_label_values(words)
    }
}

impl Family for HistogramVec {
    type Series = Histogram;

    fn with(&self, words: &[&str]) -> Histogram {
        self.with_label_values(words)
    }
}

/// The series of a metric. Each is looked up once.
pub(super) struct Grid<F: Family, K> {
    family: F,
    series: Box<[OnceLock<F::Series>]>,
    key: PhantomData<fn(K)>,
}

/// Counters by these labels.
pub(super) type Counters<K> = Grid<IntCounterVec, K>;

/// Histograms by these labels.
pub(super) type Histograms<K> = Grid<HistogramVec, K>;

impl<F: Family, K: Key> Grid<F, K> {
    /// No series exist yet.
    pub(super) fn of(family: &F) -> Self {
        let series = (0..K::COUNT).map(|_| OnceLock::new()).collect();
        Self { family: family.clone(), series, key: PhantomData }
    }

    /// The same with these series, at 0.
    pub(super) fn with(self, keys: impl IntoIterator<Item = K>) -> Self {
        keys.into_iter().for_each(|key| _ = self.at(key));
        self
    }

    /// One series, which exists from now on.
    pub(super) fn at(&self, key: K) -> &F::Series {
        self.series[key.number()].get_or_init(|| self.family.with(&key.words()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::label::{CallerKind, Route, StatusClass};
    use std::collections::BTreeSet;

    #[test]
    fn no_two_series_have_one_number() {
        let mut numbers = BTreeSet::new();
        for route in Route::ALL {
            for class in StatusClass::ALL {
                for caller in CallerKind::ALL {
                    numbers.insert((*route, *class, *caller).number());
                }
            }
        }
        assert_eq!(numbers.len(), <(Route, StatusClass, CallerKind)>::COUNT);
        assert_eq!(numbers.last(), Some(&(numbers.len() - 1)));
    }
}
