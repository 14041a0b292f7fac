//! How many failures in a row are more than chance, when a share of installations fails anyway.

/// The weight of an outcome falls to a third after this many more.
const MEMORY: f64 = 50.0;

/// Failures in a row less likely than this are not taken for chance.
const HARDLY_EVER: f64 = 0.002;

/// This many in a row always concern all, however many fail anyway.
const MOST: f64 = 40.0;

/// The share of installations that fail on their own, over recent outcomes.
#[derive(Clone, Copy, Debug, Default)]
pub struct FailureShare {
    good: f64,
    bad: f64,
}

impl FailureShare {
    /// An installation succeeded at its first attempt.
    pub fn good(&mut self) {
        self.fade();
        self.good += 1.0;
    }

    /// An installation failed on its own.
    pub fn bad(&mut self) {
        self.fade();
        self.bad += 1.0;
    }

    fn fade(&mut self) {
        self.good *= 1.0 - 1.0 / MEMORY;
        self.bad *= 1.0 - 1.0 / MEMORY;
    }

    /// Failures in a row that are more than chance: `least`, and more where many fail anyway.
    pub fn too_many_in_a_row(self, least: usize) -> usize {
        let share = (self.bad + 0.5) / (self.bad + self.good + 4.0);
        let by_chance = (HARDLY_EVER.ln() / share.ln()).clamp(0.0, MOST);
        // Between 0 and MOST, so the cast loses nothing.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let by_chance = by_chance.ceil() as usize;
        by_chance.max(least)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_fail_by_themselves_the_longer_a_row_must_be() {
        for (bad_of_ten, least, most) in [(0, 5, 5), (1, 5, 5), (3, 5, 6), (6, 10, 13), (9, 30, 40)]
        {
            let mut share = FailureShare::default();
            for n in 0..200 {
                if n * 7 % 10 < bad_of_ten { share.bad() } else { share.good() }
            }
            let needed = share.too_many_in_a_row(5);
            assert!((least..=most).contains(&needed), "{bad_of_ten} of ten: {needed}");
        }
        assert_eq!(FailureShare::default().too_many_in_a_row(5), 5, "nothing is known yet");
        assert_eq!(FailureShare::default().too_many_in_a_row(20), 20);
    }
}
