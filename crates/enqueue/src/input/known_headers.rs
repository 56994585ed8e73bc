use jobs::IdentifierKind;

/// Headers under which exports have an identifier, as [`key`] gives them.
const KNOWN: [(IdentifierKind, &[&str]); 3] = [
    (IdentifierKind::OceanPersonId, &["oceanpersonid", "oceanid", "oceanioid", "oceaniopersonid"]),
    (IdentifierKind::CloduraPersonId, &["clodurapersonid", "cloduraid", "cloduracontactid"]),
    (
        IdentifierKind::LinkedinUrl,
        &[
            "linkedinurl",
            "linkedin",
            "linkedinaddress",
            "linkedinlink",
            "linkedinprofile",
            "linkedinprofilelink",
            "linkedinprofileurl",
            "linkedinpublicurl",
            "linkedinpublicprofileurl",
            "publiclinkedinurl",
            // Apollo, Cognism, Clay
            "personlinkedin",
            "personlinkedinurl",
            "personallinkedinurl",
            // ZoomInfo
            "contactlinkedin",
            "contactlinkedinurl",
            "linkedincontactprofileurl",
            "leadlinkedinurl",
            "prospectlinkedinurl",
            // HubSpot's and Salesforce's internal names
            "hslinkedinurl",
            "linkedinc",
            "linkedinurlc",
            "linkedinprofilec",
            "linkedinprofileurlc",
            // PhantomBuster
            PREFERRED,
        ],
    ),
];

/// PhantomBuster has the address with the person's name here, and one with the member id under
/// `linkedInProfileUrl`.
const PREFERRED: &str = "defaultprofileurl";

/// Returns the identifier that exports have under this header.
pub fn known(header: &str) -> Option<IdentifierKind> {
    let key = key(header);
    KNOWN.iter().find(|(_, keys)| keys.contains(&&*key)).map(|(kind, _)| *kind)
}

/// Whether this column goes before others of its kind.
pub fn is_preferred(header: &str) -> bool {
    key(header) == PREFERRED
}

/// Whether people's LinkedIn addresses may be under this header; the cells below decide.
pub fn may_be_address(header: &str) -> bool {
    let key = key(header);
    key.contains("linkedin")
        || key.contains("profile")
        || ["url", "link", "website", "webpage", "address"].contains(&&*key)
}

/// A header without case, spaces, `_`, `-`, `.` and invisible characters.
pub fn key(header: &str) -> String {
    let says_nothing =
        |c: &char| c.is_whitespace() || matches!(c, '_' | '-' | '.') || is_invisible(*c);
    header.chars().filter(|c| !says_nothing(c)).flat_map(char::to_lowercase).collect()
}

/// Takes off the white space, byte order marks and the like around a header.
pub fn trimmed(header: &str) -> &str {
    header.trim_matches(|c: char| c.is_whitespace() || is_invisible(c))
}

fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{feff}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_the_usual_exports() {
        for header in [
            "linkedin_url",
            "LinkedIn URL",
            "Linkedin Url",
            "linkedInProfileUrl",
            "Person Linkedin Url",
            "LinkedIn Profile",
            "LinkedIn_URL__c",
            "hs_linkedin_url",
            "LINKEDIN",
            "defaultProfileUrl",
            "LinkedIn\u{a0}URL",
            "\u{feff}linked\u{200b}in-url ",
        ] {
            assert_eq!(known(header), Some(IdentifierKind::LinkedinUrl), "{header:?}");
        }
        assert_eq!(known("Ocean Person ID"), Some(IdentifierKind::OceanPersonId));
        assert_eq!(known("cloduraPersonId"), Some(IdentifierKind::CloduraPersonId));
        for header in ["Company Linkedin Url", "URL", "profileUrl", "Person ID", "LinkedIn Bio", ""]
        {
            assert_eq!(known(header), None, "{header:?}");
        }
        assert!(may_be_address("URL") && may_be_address("Profile URL") && !may_be_address("Name"));
    }
}
