/// The most characters an identifier may have; the longest real ones have about a hundred.
pub const LONGEST_IDENTIFIER: usize = 200;

/// Why a text is not an identifier. The messages are written for the person who fills the file, to be read after the
/// name of the column. They never repeat the text, which is personal data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentifierError {
    /// Nothing but white space.
    #[error("is empty")]
    Empty,
    /// A placeholder where nothing is known: `N/A`, `null`, `0`, `/in/unavailable`.
    #[error("names no person")]
    Placeholder,
    /// `2.75128E+18`.
    #[error("a spreadsheet shortened this id; format the column as text and export again")]
    Shortened,
    /// `2,751,275`.
    #[error(
        "a spreadsheet put separators between the digits of this id; \
         format the column as text and export again"
    )]
    Separators,
    /// `=A2`.
    #[error("is a formula; put its value in its place and export again")]
    Formula,
    /// `j?rgen`, `maria…`, or the marks of a wrong character set.
    #[error(
        "has lost letters (?, …, � or the like stands for them); \
         export the file again as UTF-8, or copy the value again"
    )]
    LettersLost,
    /// `p1,p2`.
    #[error("has a comma, semicolon or bar inside; one cell holds one id")]
    SeveralIds,
    /// More than [`LONGEST_IDENTIFIER`] characters.
    #[error("is longer than {LONGEST_IDENTIFIER} characters")]
    TooLong,
    /// White space in an id.
    #[error("has white space inside; one cell holds one id")]
    WhiteSpace,
    /// A control or invisible character in an id or slug.
    #[error("has an invisible character (U+{0:04X}) inside; type it again by hand")]
    Invisible(u32),
    /// An address where an id belongs.
    #[error("is a web address, not an id; a LinkedIn profile belongs in the column linkedin_url")]
    AddressForId,
    /// Not an address at linkedin.com.
    #[error("is no LinkedIn address; write linkedin.com/in/ and the person's name there")]
    NotLinkedin,
    /// A shortened link, which only LinkedIn can resolve.
    #[error("is a short link; open it and copy the address of the profile, linkedin.com/in/…")]
    ShortLink,
    /// `/pub/…`, whose slug is another one today.
    #[error(
        "is an old public address (/pub/…), which leads to no person today; \
         open it and copy the linkedin.com/in/… address it leads to"
    )]
    OldPublicAddress,
    /// `/sales/…`.
    #[error(
        "is a Sales Navigator address, which providers can't read; \
         use the person's linkedin.com/in/… address (there: ⋯, Copy LinkedIn.com URL)"
    )]
    SalesNavigator,
    /// `/talent/…`, `/recruiter/…`.
    #[error(
        "is a Recruiter address, which providers can't read; \
         use the person's linkedin.com/in/… address (there: Public profile)"
    )]
    Recruiter,
    /// `/company/…`, `/school/…`, `/showcase/…`.
    #[error("is a company's page, not a person's; use the person's linkedin.com/in/… address")]
    CompanyPage,
    /// Any other page at LinkedIn.
    #[error("is a LinkedIn page, but no profile; use the person's linkedin.com/in/… address")]
    NotAProfile,
    /// `/in/` with nothing after it, or with a name that no profile has.
    #[error("is no LinkedIn profile: what follows linkedin.com/in/ is no profile's name")]
    BadSlug,
}

impl IdentifierError {
    /// Whether the text holds nothing, so that only the other identifiers of its row count.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        matches!(self, IdentifierError::Empty | IdentifierError::Placeholder)
    }
}
