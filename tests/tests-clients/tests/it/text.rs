//! Reads what kubectl says, and takes out what differs from run to run.

/// The words of a command line: blanks part them, quotes hold them together.
pub(crate) fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for letter in line.chars() {
        match letter {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(std::mem::take(&mut word)),
            other => word.push(other),
        }
    }
    words.push(word);
    words
}

/// Whether a line of standard error is of the log that `-v` makes.
pub(crate) fn is_log(line: &str) -> bool {
    let mut letters = line.chars();
    let level = letters.next().is_some_and(|letter| "IWEF".contains(letter));
    (level && letters.take(4).all(|letter| letter.is_ascii_digit()))
        || line.is_empty()
        || line.starts_with(['\t', ' ', '}', '"', ']'])
}

/// The request that a line of the log tells.
pub(crate) fn request(line: &str) -> Option<String> {
    let (_, said) = line.split_once("round_trippers.go:470] ")?;
    let (verb, address) = said.split_once(' ')?;
    let path = address.strip_prefix("https://")?.split_once('/')?.1;
    Some(normal(&format!("{verb} /{path}")))
}

/// A line without what differs from run to run.
pub(crate) fn normal(line: &str) -> String {
    let mut text: String = line.split_whitespace().collect::<Vec<_>>().join(" ");
    for moment in ["Start Time: ", "CreationTimestamp: ", "Started: ", "Finished: "] {
        if text.starts_with(moment) {
            return format!("{moment}TIME");
        }
    }
    if ["diff -u", "--- /", "+++ /"].iter().any(|begin| text.starts_with(begin)) {
        return "DIFF".to_owned();
    }
    text = selector_sorted(&text);
    for (before, name) in [
        ("hash=", "HASH"),
        ("resourceVersion=", "VERSION"),
        ("timeoutSeconds=", "SECONDS"),
        (".uid%3D", "UID"),
        (".uid=", "UID"),
    ] {
        text = value_named(&text, before, name);
    }
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// The parts of a field selector come in no order.
fn selector_sorted(text: &str) -> String {
    let Some((head, tail)) = text.split_once("fieldSelector=") else { return text.to_owned() };
    let (selector, rest) = tail.split_at(tail.find('&').unwrap_or(tail.len()));
    let mut parts: Vec<&str> = selector.split("%2C").collect();
    parts.sort_unstable();
    format!("{head}fieldSelector={}{rest}", parts.join("%2C"))
}

/// Replaces what follows `before` in an address, up to the next parameter.
fn value_named(text: &str, before: &str, name: &str) -> String {
    let mut parts = text.split(before);
    let mut result = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(['&', '%', ',', ' ']).unwrap_or(part.len());
        let (value, rest) = part.split_at(end);
        result.push_str(before);
        result.push_str(if value == "0" { value } else { name });
        result.push_str(rest);
    }
    result
}

/// A word that is an age, an address, a moment or a name that was drawn becomes the sort of it.
fn word(word: &str) -> String {
    let is_age = |text: &str| {
        let units = text.trim_matches(|letter: char| letter.is_ascii_digit());
        text.starts_with(|letter: char| letter.is_ascii_digit())
            && text.ends_with(['s', 'm', 'h', 'd'])
            && units.chars().all(|letter| "smhd0123456789".contains(letter))
    };
    if let Some((before, after)) = word.split_once('/')
        && after.parse::<std::net::Ipv4Addr>().is_ok()
    {
        return format!("{before}/ADDRESS");
    }
    if let Some((before, _)) = word.split_once("X509SHA256=") {
        return format!("{before}X509SHA256=DIGEST");
    }
    if word.starts_with("https://127.0.0.1:") {
        return "https://ADDRESS".to_owned();
    }
    let bare = word.trim_matches(['"', ',', '(', ')']);
    let sort = if is_age(bare) {
        "AGE"
    } else if bare.split(':').next().is_some_and(|ip| ip.parse::<std::net::IpAddr>().is_ok()) {
        "ADDRESS"
    } else if bare.len() == 20 && bare.ends_with('Z') && bare.contains("-") {
        "TIME"
    } else if bare.starts_with("eyJ") && bare.len() > 100 {
        "TOKEN"
    } else if bare.len() == 36 && bare.matches('-').count() == 4 {
        "UID"
    } else if bare.starts_with("starling://") || bare.contains("_c_") && bare.len() > 36 {
        "CONTAINER"
    } else if bare.starts_with("sha256:") {
        "DIGEST"
    } else {
        return drawn(word);
    };
    word.replace(bare, sort)
}

/// `d-767b8c86d8-22q6z` is `d-HASH-NAME`, and its ReplicaSet `d-HASH`.
fn drawn(word: &str) -> String {
    for begin in ["kube-api-access-", "debugger-"] {
        if let Some((before, _)) = word.split_once(begin) {
            return format!("{before}{begin}NAME");
        }
    }
    let is_hash = |part: &str| {
        (8..=10).contains(&part.len())
            && part.chars().all(|letter| "bcdfghjklmnpqrstvwxz2456789".contains(letter))
    };
    let end = word.rfind("/log").unwrap_or(word.len());
    let (name, rest) = word.split_at(end);
    let mut parts: Vec<&str> = name.split('-').collect();
    if let Some(at) = parts.iter().position(|part| is_hash(part)) {
        parts.splice(at..at + 1, ["HASH"]);
        if parts.len() > at + 1 {
            parts.truncate(at + 1);
            parts.push("NAME");
        }
    }
    parts.join("-") + rest
}
