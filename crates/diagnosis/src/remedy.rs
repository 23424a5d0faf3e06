//! The commands that mend, with the real names.

use gatewright_arm::ApplicationGateway;

use crate::cause::Owner;
use crate::finding::Fix;

/// Commands of one gateway.
pub(crate) struct Commands {
    group: String,
    name: String,
}

impl Commands {
    pub(crate) fn of(gateway: &ApplicationGateway) -> Self {
        let id = gateway.resource_id();
        let group = id.as_ref().and_then(|id| id.resource_group());
        Self {
            group: group.unwrap_or("RG").to_owned(),
            name: gateway.name.clone(),
        }
    }

    /// A command of the gateway itself, such as `start`.
    pub(crate) fn gateway(&self, verb: &str) -> String {
        let Self { group, name } = self;
        format!(
            "az network application-gateway {verb} -g {} -n {}",
            word(group),
            word(name)
        )
    }

    /// A command of a part of the gateway, such as `http-settings update`.
    pub(crate) fn part(&self, verb: &str, part: &str, more: &str) -> String {
        let Self { group, name } = self;
        format!(
            "az network application-gateway {verb} -g {} --gateway-name {} -n {} {more}",
            word(group),
            word(name),
            word(part)
        )
        .trim_end()
        .to_owned()
    }

    pub(crate) fn verify_health(&self) -> Vec<String> {
        vec![self.gateway("show-backend-health")]
    }

    pub(crate) fn group(&self) -> &str {
        &self.group
    }
}

/// A word of a shell's.
pub(crate) fn word(text: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:@=,+".contains(letter);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

/// The words of a command, without what [`word`] put around them.
pub(crate) fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut own: Option<String> = None;
    let mut is_quoted = false;
    let mut letters = command.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\'' => {
                is_quoted = !is_quoted;
                own.get_or_insert_default();
            }
            '\\' if !is_quoted => own.get_or_insert_default().extend(letters.next()),
            letter if letter.is_whitespace() && !is_quoted => words.extend(own.take()),
            letter => own.get_or_insert_default().push(letter),
        }
    }
    words.extend(own);
    words
}

pub(crate) fn fix(owner: Owner, summary: impl Into<String>) -> Fix {
    Fix {
        owner,
        summary: summary.into(),
        commands: Vec::new(),
        risk: String::new(),
        verify: Vec::new(),
        patches: Vec::new(),
        is_partial: false,
        weakens: false,
        replay: None,
    }
}

impl Fix {
    /// A command that no patch stands for.
    pub(crate) fn run(mut self, command: impl Into<String>) -> Self {
        self.commands.push(command.into());
        self.is_partial = true;
        self
    }

    /// It has a check ask for less, or takes away what stands in the way.
    pub(crate) fn weakening(mut self) -> Self {
        self.weakens = true;
        self
    }

    pub(crate) fn risking(mut self, risk: impl Into<String>) -> Self {
        self.risk = risk.into();
        self
    }

    pub(crate) fn verified_by(mut self, commands: Vec<String>) -> Self {
        self.verify = commands;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_back_as_they_were() {
        for texts in [
            vec!["a", "b"],
            vec!["two words", "it's", "", "*"],
            vec![r"back\slash", "''", "é"],
        ] {
            let command: Vec<String> = texts.iter().map(|text| word(text)).collect();
            assert_eq!(words(&command.join(" ")), texts);
        }
        assert_eq!(words("  "), Vec::<String>::new());
    }
}
