//! The values of keys, as the log takes them.

use std::{fmt::Display, time::Duration};

use tracing::field::{DisplayValue, display};

use crate::peer::Peer;

/// A type whose values the log takes.
pub(super) trait IntoValue {
    /// The type that `tracing` takes.
    type Value;

    /// Returns the value for the log: a number as a number, all else as text.
    fn into_value(self) -> Self::Value;
}

macro_rules! as_is {
    ($($type:ty),+) => {$(
        impl IntoValue for $type {
        type Value = Self;

        fn into_value(self) -> Self {
                self
            }
        }
    )+};
}

as_is!(u64, i32, u16, usize, f64, &str);

impl IntoValue for Peer {
    type Value = DisplayValue<Self>;

    fn into_value(self) -> Self::Value {
        display(self)
    }
}

impl<'a> IntoValue for &'a dyn Display {
    type Value = DisplayValue<&'a dyn Display>;

    fn into_value(self) -> Self::Value {
        display(self)
    }
}

impl<T: IntoValue> IntoValue for Option<T> {
    type Value = Option<T::Value>;

    fn into_value(self) -> Self::Value {
        self.map(T::into_value)
    }
}

/// Returns the time of a processor as the log shows it: seconds, rounded to three decimals.
pub(crate) fn processor_seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1000.0).round() / 1000.0
}
