//! Seeded decisions: the same seed and the same question always give the same answer, in any order and on any machine.

/// A hash under way. Derive one per question (`new`), mix in what it is about (`of`, `nth`), then read the answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chance(u64);

impl Chance {
    /// Starts a question. Different questions about the same person must have different names, or they correlate.
    pub(crate) fn new(seed: u64, question: &str) -> Self {
        Self(mix(seed ^ 0x9e37_79b9_7f4a_7c15)).of(question)
    }

    /// Mixes in a name, such as a person's id.
    pub(crate) fn of(self, identity: &str) -> Self {
        const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;
        let hash = identity.bytes().fold(self.0 ^ 0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME)
        });
        Self(mix(hash))
    }

    /// Mixes in a counter, such as 'the n-th request'.
    pub(crate) fn nth(self, n: u64) -> Self {
        Self(mix(self.0 ^ mix(n.wrapping_add(0x632b_e59b_d9b4_e019))))
    }

    /// The raw 64 bits.
    pub(crate) fn bits(self) -> u64 {
        self.0
    }

    /// A number in `[0, 1)`.
    pub(crate) fn unit(self) -> f64 {
        // 53 bits are what an f64 holds exactly, so 1.0 is never reached and a rate of 1 always hits.
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    /// True for a share of `rate` (0 to 1) of all questions.
    pub(crate) fn hits(self, rate: f64) -> bool {
        self.unit() < rate
    }

    /// A number in `min..=max`.
    pub(crate) fn between(self, (min, max): (u64, u64)) -> u64 {
        let span = max.saturating_sub(min).saturating_add(1);
        min + self.0 % span
    }

    /// One of a table, which must not be empty.
    pub(crate) fn pick<T: Copy>(self, table: &[T]) -> T {
        table[(self.0 % table.len() as u64) as usize]
    }
}

/// The finaliser of splitmix64: every input bit changes about half of the output bits.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_met_and_questions_are_independent() {
        let ask = |question: &str| {
            (0..10_000)
                .filter(|n| Chance::new(7, question).of(&format!("p{n}")).hits(0.3))
                .collect::<Vec<_>>()
        };
        let (first, second) = (ask("first"), ask("second"));
        assert!((2_800..3_200).contains(&first.len()), "{}", first.len());
        let both = first.iter().filter(|n| second.contains(n)).count();
        assert!((750..1_050).contains(&both), "independent 30 % twice is 9 %, got {both}");
        assert_eq!(first, ask("first"));
    }

    #[test]
    fn extremes_are_exact() {
        for n in 0..1_000 {
            let chance = Chance::new(1, "edge").nth(n);
            assert!(chance.hits(1.0));
            assert!(!chance.hits(0.0));
            assert!((5..=9).contains(&chance.between((5, 9))));
        }
    }
}
