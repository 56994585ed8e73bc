/// Bytes as a series of decisions. When they are used up, each decision is the first choice.
pub(crate) struct Choices<'d>(pub(crate) &'d [u8]);

impl<'d> Choices<'d> {
    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        usize::from(*first) % end.max(1)
    }

    /// One of several.
    pub(crate) fn of<T: Copy>(&mut self, several: &[T]) -> T {
        several[self.below(several.len())]
    }

    /// A yes or no.
    pub(crate) fn yes(&mut self) -> bool {
        self.below(2) == 1
    }

    /// A short text of any characters.
    pub(crate) fn text(&mut self) -> String {
        let length = self.below(24).min(self.0.len());
        let (text, rest): (&'d [u8], &'d [u8]) = self.0.split_at(length);
        self.0 = rest;
        String::from_utf8_lossy(text).into_owned()
    }
}
