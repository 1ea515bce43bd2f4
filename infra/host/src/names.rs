//! What users, groups and the platform may be called where others read it.

use broker_schemas::Error;
use broker_schemas::user::PLATFORM_NAME;
use broker_schemas::visible::{gist, is_deceptive, is_visible};
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use unicode_security::skeleton;

/// The longest name that is shown, in characters.
const CHARACTERS: usize = 64;

/// Section `[platform]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PlatformSettings {
    /// What users see as the sender of what the platform itself writes, 1 to 64 characters with a letter or
    /// digit among them. No user and no group may be called so. Default: "Natter".
    pub name: String,
}

impl Default for PlatformSettings {
    fn default() -> Self {
        Self { name: "Natter".into() }
    }
}

impl PlatformSettings {
    /// # Errors
    /// When nobody could read the name, or it has nothing by which to tell others from it.
    pub fn check(&self) -> anyhow::Result<()> {
        shown_name("platform.name", &self.name).map_err(|error| anyhow::anyhow!(error.message))?;
        // What is left of every name of signs alone is nothing, so all of them would look like this one.
        anyhow::ensure!(!look(&self.name).is_empty(), "platform.name: expected a letter or digit");
        Ok(())
    }

    /// Checks that a name, which was given as `field`, doesn't look like the platform's own: the one that is shown, or that of
    /// its account.
    ///
    /// # Errors
    /// [`broker_schemas::Code::Conflict`].
    pub fn check_not_its_own(&self, field: &str, name: &str) -> Result<(), Error> {
        let shown = look(name);
        if shown == look(&self.name) || shown == look(PLATFORM_NAME) {
            return Err(Error::conflict(format!("{field}: this one is the platform's own")));
        }
        Ok(())
    }
}

/// The name that `text`, which was given as `field`, is shown as: without the space around it.
///
/// # Errors
/// Says what is accepted.
pub fn shown_name(field: &str, text: &str) -> Result<String, Error> {
    let text = text.trim();
    let length = text.chars().count();
    if !(1..=CHARACTERS).contains(&length) {
        return Err(Error::invalid(format!("{field}: expected 1 to {CHARACTERS} characters, got {length}")));
    }
    if text.chars().any(is_deceptive) || !is_visible(text) {
        let message = format!("{field}: expected no control, direction or invisible characters");
        return Err(Error::invalid(message));
    }
    Ok(text.to_owned())
}

/// What all texts have in common that look like this one: in another case, script or font, or with signs around it.
fn look(text: &str) -> String {
    let letters: String =
        gist(&text.nfkd().collect::<String>()).chars().filter(|c| c.is_alphanumeric()).collect();
    skeleton(&letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_and_nothing_is_shown_as_the_platform() {
        let platform = PlatformSettings { name: "Die Post".into() };
        for name in [
            "Natter",
            "NATTER",
            "N a t t e r",
            "Nat\u{200d}ter",
            "Die Post",
            "die\u{a0}post",
            "DiePost",
            "Natter ✓",
            "* natter",
            "Nаtter",
            "Ｎａｔｔｅｒ",
            "𝐍𝐚𝐭𝐭𝐞𝐫",
            "Natter\u{17b4}",
            "Na\u{301}tter",
        ] {
            let refused = platform.check_not_its_own("name", name).unwrap_err();
            assert_eq!(refused.code, broker_schemas::Code::Conflict, "{name}");
        }
        for name in ["Natterjack", "Post", "Die Posten"] {
            assert!(platform.check_not_its_own("name", name).is_ok(), "{name}");
        }
    }

    #[test]
    fn a_name_is_visible_and_reads_as_written() {
        assert_eq!(shown_name("name", "  Älice 👩‍🚀 ").unwrap(), "Älice 👩‍🚀");
        assert_eq!(shown_name("name", &"ä".repeat(64)).unwrap().chars().count(), 64);
        for bad in [
            "",
            "   ",
            "a\u{202e}b",
            "a\u{2066}b",
            "a\nb",
            "a\u{0}b",
            "\u{200b}",
            "\u{200d}",
            &"ä".repeat(65),
        ] {
            assert!(shown_name("name", bad).unwrap_err().message.starts_with("name: expected"), "{bad:?}");
        }
    }

    #[test]
    fn a_platform_has_a_name() {
        PlatformSettings::default().check().unwrap();
        let error = PlatformSettings { name: " ".into() }.check().unwrap_err();
        assert!(error.to_string().contains("platform.name"), "{error}");
    }

    #[test]
    fn a_platforms_name_leaves_names_of_signs_to_others() {
        for signs in ["★", "🐝", "🐝 - ✓"] {
            let error = PlatformSettings { name: signs.into() }.check().unwrap_err();
            assert_eq!(error.to_string(), "platform.name: expected a letter or digit", "{signs}");
        }
        for name in ["★ Bees", "7", "蜂"] {
            let platform = PlatformSettings { name: name.into() };
            platform.check().unwrap();
            assert!(platform.check_not_its_own("name", "★").is_ok(), "{name}");
        }
    }
}
