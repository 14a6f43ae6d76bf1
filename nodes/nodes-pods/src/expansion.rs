//! Replaces `$(NAME)` in commands, arguments and environment values.
//!
//! Way in: [`expand`].  Spec: Kubernetes documentation, "Define Dependent Environment Variables":
//! `$$` is one `$`, and a reference that cannot be resolved stays as it is.

/// `text` with every `$(NAME)` that `lookup` knows replaced.
#[must_use]
pub fn expand(text: &str, lookup: &dyn Fn(&str) -> Option<String>) -> String {
    let mut done = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        done.push_str(&rest[..at]);
        let behind = &rest[at + 1..];
        if let Some(after) = behind.strip_prefix('$') {
            done.push('$');
            rest = after;
        } else if let Some((name, after)) =
            behind.strip_prefix('(').and_then(|open| open.split_once(')'))
        {
            match lookup(name) {
                Some(value) => done.push_str(&value),
                None => done.push_str(&rest[at..at + name.len() + 3]),
            }
            rest = after;
        } else {
            done.push('$');
            rest = behind;
        }
    }
    done.push_str(rest);
    done
}

#[cfg(test)]
mod tests {
    use super::expand;

    #[test]
    fn references_escapes_and_unknown_names() {
        let lookup = |name: &str| (name == "HOST").then(|| "db".to_owned());
        for (text, wanted) in [
            ("http://$(HOST):80", "http://db:80"),
            ("$$(HOST)", "$(HOST)"),
            ("$(MISSING)/$(HOST)", "$(MISSING)/db"),
            ("costs 5$", "costs 5$"),
            ("$(open", "$(open"),
            ("$HOME", "$HOME"),
            ("$$$(HOST)", "$db"),
        ] {
            assert_eq!(expand(text, &lookup), wanted, "{text}");
        }
    }
}
