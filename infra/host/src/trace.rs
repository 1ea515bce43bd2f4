//! One trace from the client's socket through every hop, in the form of W3C Trace Context (`traceparent`).

use std::fmt;
use std::str::FromStr;

/// Names a trace, and the step in it that comes before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trace {
    trace: u128,
    span: u64,
}

impl Trace {
    /// A new trace.
    #[must_use]
    pub fn start() -> Self {
        Self { trace: (u128::from(random()) << 64) | u128::from(random()), span: random() }
    }

    /// The next step of this trace.
    #[must_use]
    pub fn next(self) -> Self {
        Self { span: random(), ..self }
    }

    /// The trace that a header names, continued; a new one where there is none, or none that can be read.
    #[must_use]
    pub fn from_header(value: Option<&str>) -> Self {
        value.and_then(|value| value.parse().ok()).map_or_else(Self::start, Self::next)
    }

    /// The trace's name, the same on every hop, for logs.
    #[must_use]
    pub fn id(self) -> impl fmt::Display {
        struct Hex(u128);
        impl fmt::Display for Hex {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:032x}", self.0)
            }
        }
        Hex(self.trace)
    }
}

/// Never zero, which the format forbids.
fn random() -> u64 {
    // A trace with a poor name is better than a call that fails for want of a name.
    getrandom::u64().unwrap_or(1).max(1)
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-01", self.trace, self.span)
    }
}

impl FromStr for Trace {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split('-');
        let (Some(version), Some(trace), Some(span), Some(_flags)) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(());
        };
        if version.len() != 2 || version == "ff" || trace.len() != 32 || span.len() != 16 {
            return Err(());
        }
        let trace = u128::from_str_radix(trace, 16).map_err(|_| ())?;
        let span = u64::from_str_radix(span, 16).map_err(|_| ())?;
        if trace == 0 || span == 0 { Err(()) } else { Ok(Self { trace, span }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_keeps_its_name_over_hops() {
        let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let trace = Trace::from_header(Some(header));
        assert_eq!(trace.id().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_ne!(trace.to_string(), header);
        assert_eq!(header.parse::<Trace>().unwrap().to_string(), header);
    }

    #[test]
    fn nonsense_starts_a_new_trace() {
        for bad in ["", "00", "00-0-0-0", "zz", "00-00000000000000000000000000000000-00f067aa0ba902b7-01"] {
            assert!(bad.parse::<Trace>().is_err(), "{bad}");
        }
    }
}
