//! A database's URL, taken apart. What is wrong with it is named by what is to be written instead.

use percent_encoding::percent_decode_str;

use super::fault::Fault;
use crate::secret::Secret;

/// A URL, taken apart and decoded.
pub struct Url {
    /// What stands before `://`, in small letters and without a driver's name.
    pub scheme: String,
    /// The user.
    pub user: Option<String>,
    /// The password.
    pub password: Option<Secret>,
    /// Hosts and ports, as they are written.
    pub hosts: String,
    /// What follows the host.
    pub path: String,
    /// Names and values after `?`.
    pub parameters: Vec<(String, String)>,
}

/// Characters that end the host, and what a password has for them.
const DELIMITERS: [(char, &str); 3] = [('/', "%2F"), ('?', "%3F"), ('#', "%23")];

impl Url {
    /// Takes a URL apart.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let (scheme, rest) = text.split_once("://").ok_or(Fault::NotAUrl)?;
        if rest.contains(char::is_whitespace) || rest.contains(char::is_control) {
            return Err(Fault::Blank);
        }
        delimiters(rest)?;
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = place.split_once('/').unwrap_or((place, ""));
        // The last one, as browsers and Node read it.
        let (who, hosts) =
            authority.rsplit_once('@').map_or((None, authority), |(who, hosts)| (Some(who), hosts));
        let (user, password) = match who.map(|who| who.split_once(':').ok_or(who)) {
            None => (None, None),
            Some(Err(user)) => (Some(user), None),
            Some(Ok((user, password))) => (Some(user), Some(password)),
        };
        let user = user.map(|user| decoded(user, "user name")).transpose()?;
        let password = password.map(|password| decoded(password, "password")).transpose()?;
        if password.as_deref().is_some_and(is_placeholder) {
            return Err(Fault::Placeholder);
        }
        let scheme = scheme.split('+').next().unwrap_or_default().to_ascii_lowercase();
        Ok(Self {
            // `mongodb+srv` is another scheme, not another driver.
            scheme: if text.starts_with("mongodb+srv:") { "mongodb+srv".into() } else { scheme },
            user: user.filter(|user| !user.is_empty()),
            password: password.filter(|password| !password.is_empty()).map(Secret::new),
            hosts: hosts.to_owned(),
            path: decoded(path, "name of the database")?,
            parameters: parameters(query)?,
        })
    }

    /// Whether it has a password, in whatever place.
    pub fn has_password(text: &str) -> bool {
        let Some((_, rest)) = text.split_once("://") else { return false };
        let before_host = rest.rsplit_once('@').map(|(who, _)| who);
        let query = rest.split_once('?').map(|(_, query)| query).unwrap_or_default();
        before_host.is_some_and(|who| who.contains(':'))
            || query.split('&').any(|pair| {
                let name = pair.split('=').next().unwrap_or_default();
                ["password", "pwd", "passwd"].iter().any(|word| name.eq_ignore_ascii_case(word))
            })
    }
}

/// Finds a password that ends the host's part too early: an `@` stands where none belongs.
fn delimiters(rest: &str) -> Result<(), Fault> {
    let raw = |at: usize| DELIMITERS.iter().find(|(mark, _)| rest[at..].starts_with(*mark));
    let before_query = rest.find(['?', '#']).unwrap_or(rest.len());
    let (place, after) = rest.split_at(before_query);
    let first_name = after.split(['=', '&']).next().unwrap_or_default();
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let is_split = place.get(end..).is_some_and(|path| path.contains('@'))
        || first_name.contains('@')
        || after.starts_with('#') && after.contains('@');
    match raw(end).filter(|_| is_split) {
        Some(&(character, code)) => Err(Fault::Raw { character, code }),
        None if rest.contains('#') => Err(Fault::Fragment),
        None => Ok(()),
    }
}

fn parameters(query: &str) -> Result<Vec<(String, String)>, Fault> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decoded(name, "parameters")?, decoded(value, "parameters")?))
        })
        .collect()
}

/// Decodes percent codes; `part` names the text in a fault.
pub fn decoded(text: &str, part: &'static str) -> Result<String, Fault> {
    let is_code =
        |code: &str| code.len() >= 2 && code.bytes().take(2).all(|b| b.is_ascii_hexdigit());
    if !text.split('%').skip(1).all(is_code) {
        return Err(Fault::Percent(part));
    }
    let decoded = percent_decode_str(text).decode_utf8().map_err(|_| Fault::NotText(part))?;
    Ok(decoded.into_owned())
}

/// Whether a password is what a dashboard shows in its place.
fn is_placeholder(password: &str) -> bool {
    let is_within = |open, close| password.starts_with(open) && password.ends_with(close);
    let word = password.to_ascii_lowercase().replace(['-', '_'], "");
    is_within('[', ']')
        || is_within('<', '>')
        || is_within('{', '}')
        || password.len() > 2 && password.chars().all(|c| c == '*' || c == '•')
        || word == "yourpassword"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        let url = Url::parse("PostgreSQL+psycopg2://a%40b:p%2Fw:x@h:1/d%20b?a=1&b&c=%26").unwrap();
        assert_eq!(url.scheme, "postgresql");
        assert_eq!(url.user.as_deref(), Some("a@b"));
        assert_eq!(url.password.unwrap().expose(), "p/w:x");
        assert_eq!((url.hosts.as_str(), url.path.as_str()), ("h:1", "d b"));
        let pairs = [("a", "1"), ("b", ""), ("c", "&")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        assert_eq!(url.parameters, pairs);
        let url = Url::parse("postgres://u:p@ss@h/d").unwrap();
        assert_eq!(url.password.unwrap().expose(), "p@ss", "as Node reads it");
        assert_eq!(Url::parse("mongodb+srv://h/d").unwrap().scheme, "mongodb+srv");
        assert!(Url::parse("postgres://u:@h/d").unwrap().password.is_none());
        assert!(Url::parse("postgres:///d?user=a@b&application_name=c@d").is_ok());
    }

    #[test]
    fn what_is_wrong_is_named_by_what_to_write() {
        let raw = |character, code| Fault::Raw { character, code };
        for (url, fault) in [
            ("postgres://u:SECRET#x@h/d", raw('#', "%23")),
            ("postgres://u:SECRET/x@h/d", raw('/', "%2F")),
            ("postgres://u:SECRET?x@h/d", raw('?', "%3F")),
            ("postgres://u:SEC@RET/x@h/d", raw('/', "%2F")),
            ("postgres://u:SEC@RET#x@h/d", raw('#', "%23")),
            ("postgres://u:SEC@RET?x@h/d?sslmode=require", raw('?', "%3F")),
            ("postgres://u:SECRET/#?x@h/d", raw('/', "%2F")),
            ("postgres://u:SECRET@h/d#x", Fault::Fragment),
            ("postgres://u:SEC RET@h/d", Fault::Blank),
            ("postgres://u:SECRET@h/d\nX=1", Fault::Blank),
            ("postgres://u:SECRET%@h/d", Fault::Percent("password")),
            ("postgres://u:SECRET%4@h/d", Fault::Percent("password")),
            ("postgres://u:SECRET%zz@h/d", Fault::Percent("password")),
            ("postgres://u%:SECRET@h/d", Fault::Percent("user name")),
            ("postgres://u:SECRET%ff@h/d", Fault::NotText("password")),
            ("postgres://u:[YOUR-PASSWORD]@h/d", Fault::Placeholder),
            ("postgres://u:YOUR_PASSWORD@h/d", Fault::Placeholder),
            ("postgres://u:<password>@h/d", Fault::Placeholder),
            ("postgres://u:[SECRET]@h/d", Fault::Placeholder),
            ("postgres://u:******@h/d", Fault::Placeholder),
            ("host=h user=u password=SECRET", Fault::NotAUrl),
        ] {
            let found = Url::parse(url).err().unwrap();
            assert_eq!(found, fault, "{url}");
            assert!(!found.to_string().contains("SEC"), "{url}");
        }
    }

    #[test]
    fn a_password_is_seen_wherever_it_is() {
        for (text, expected) in [
            ("postgres://u:p@h/d", true),
            ("postgres://u:p#x@h/d", true),
            ("postgres://u:p/x@h/d", true),
            ("postgres://h/d?password=p", true),
            ("postgres://h/d?user=a&Password=p", true),
            ("mysql://u@h:3306/d", false),
            ("postgres://u@h:5432/d?sslmode=require", false),
            ("postgres:///d", false),
            ("app.db", false),
        ] {
            assert_eq!(Url::has_password(text), expected, "{text}");
        }
    }
}
