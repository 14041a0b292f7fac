//! Request starts over time, against the rate that bounds them.

use super::timeline::{ExecutionSpan, Timeline};
use crate::{
    clock,
    views::bound::{surely_within, window_of},
};

/// Request starts in a step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StartStep {
    /// How many.
    pub count: u64,
    /// Starts a second in the busiest window that ends in the step.
    pub busiest: f64,
    /// Starts a second that the rate allows.
    pub allowed: Option<f64>,
}

/// The starts in steps of one length. They are milliseconds of a clock that is never set back, sorted.
pub fn start_steps(timeline: &Timeline, starts: &[i64], length_ms: i64) -> Vec<StartStep> {
    let count = timeline.end_ms.max(1).saturating_add(length_ms - 1) / length_ms;
    let mut steps = vec![StartStep::default(); usize::try_from(count).unwrap_or(0)];
    let ends = timeline.executions.iter().skip(1).map(|next| (next.steady_ms, next.from_ms));
    let ends = ends.chain([(i64::MAX, timeline.end_ms.max(1))]);
    for (execution, (steady_end, end_ms)) in timeline.executions.iter().zip(ends) {
        let from = starts.partition_point(|start| *start < execution.steady_ms);
        let to = starts.partition_point(|start| *start < steady_end);
        let own = starts.get(from..to).unwrap_or_default();
        Window::of(execution, own).count_into(&mut steps, length_ms, end_ms);
    }
    steps
}

/// The starts of an execution, looked at through its window.
struct Window<'a> {
    execution: &'a ExecutionSpan,
    starts: &'a [i64],
    length_ms: i64,
    seconds: f64,
    allowed: Option<f64>,
}

impl<'a> Window<'a> {
    fn of(execution: &'a ExecutionSpan, starts: &'a [i64]) -> Self {
        let (window, allowed) = window_of(execution.bound);
        let seconds = window.as_secs_f64();
        Self {
            execution,
            starts,
            length_ms: i64::from(clock::millis(surely_within(window))),
            seconds,
            allowed: allowed.map(|allowed| f64::from(allowed) / seconds),
        }
    }

    fn count_into(&self, steps: &mut [StartStep], length_ms: i64, end_ms: i64) {
        let ExecutionSpan { steady_ms, from_ms, .. } = *self.execution;
        let mut oldest = 0;
        for (newest, start) in self.starts.iter().enumerate() {
            while self.starts[oldest] + self.length_ms < *start {
                oldest += 1;
            }
            let at = (from_ms + (start - steady_ms)).min(end_ms - 1);
            if let Some(step) = step_at(steps, at / length_ms) {
                step.count += 1;
                step.busiest = step.busiest.max((newest - oldest + 1) as f64 / self.seconds);
            }
        }
        let last = (end_ms - 1).max(from_ms) / length_ms;
        for index in from_ms / length_ms..=last {
            let Some(step) = step_at(steps, index) else { continue };
            let end = steady_ms + (index + 1) * length_ms - from_ms;
            step.busiest = step.busiest.max(self.until(end) as f64 / self.seconds);
            step.allowed = step.allowed.into_iter().chain(self.allowed).reduce(f64::max);
        }
    }

    /// Starts in the window that ends here.
    fn until(&self, end: i64) -> usize {
        let from = self.starts.partition_point(|start| *start < end - self.length_ms);
        self.starts.partition_point(|start| *start < end).saturating_sub(from)
    }
}

fn step_at(steps: &mut [StartStep], index: i64) -> Option<&mut StartStep> {
    steps.get_mut(usize::try_from(index).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pace::Rate;

    #[test]
    fn no_step_of_a_run_within_its_rate_exceeds_the_bound() {
        let bound: Rate = "10/s".parse().unwrap();
        let mut timeline = Timeline::default();
        timeline.begin(jiff::Timestamp::UNIX_EPOCH, 0, bound);
        timeline.note(2000);
        timeline.begin(jiff::Timestamp::from_second(60).unwrap(), 60_000, bound);
        timeline.note(61_000);
        let starts: Vec<i64> =
            (0..20).map(|n| n * 101).chain((0..10).map(|n| 60_000 + n * 101)).collect();
        for length in [10, 100, 1000, 10_000] {
            let steps = start_steps(&timeline, &starts, length);
            assert_eq!(i64::try_from(steps.len()), Ok((3000 + length - 1) / length), "{length}");
            assert_eq!(steps.iter().map(|step| step.count).sum::<u64>(), 30, "{length}");
            assert!(steps.iter().all(|step| step.busiest <= 10.0), "{length}: {steps:?}");
            assert!(steps.iter().all(|step| step.allowed == Some(10.0)), "{length}");
            assert!(steps.iter().any(|step| step.busiest > 9.0), "{length}: {steps:?}");
        }
    }
}
