//! A difference as a person reads it: what it does first.

use super::{Change, Difference, MemberChange, PartChange, REPRESENTATIVES_MAX, Trouble};
use crate::report::{Line, beginning, first, listed_with, visible};

/// Most lines of effects, of troubles, and of parts.
const EFFECTS_MAX: usize = 15;
const TROUBLES_MAX: usize = 8;
const PARTS_MAX: usize = 25;
/// Most members of a part that came, and entries of a list.
const MEMBERS_MAX: usize = 4;
const ENTRIES_MAX: usize = 6;
/// Longest value, in characters.
const VALUE_CHARS_MAX: usize = 60;

impl Difference {
    /// The answer for people.
    pub fn lines(&self) -> Vec<Line> {
        let name = visible(&self.gateway);
        if self.is_empty() {
            let text = format!("Both say the same of the gateway {name}.");
            return vec![Line::sentence(text)];
        }
        let mut lines = vec![Line::sentence(self.sentence(&name))];
        let effects: Vec<String> = self.effects.iter().map(|one| one.says.clone()).collect();
        lines.extend(block("What it does to traffic:", &effects, EFFECTS_MAX));
        if let Some(why) = &self.unknown {
            lines.push(Line::plain(""));
            let text = format!("Where requests go cannot be told {}", visible(why));
            lines.push(Line::plain(text));
        }
        if self.is_cut {
            lines.push(Line::plain(""));
            lines.push(Line::plain(format!(
                "Only the first {REPRESENTATIVES_MAX} kinds of requests were compared."
            )));
        }
        let told = |list: &[Trouble]| list.iter().map(Trouble::in_short).collect::<Vec<_>>();
        let (new, gone) = (told(&self.new_trouble), told(&self.gone_trouble));
        lines.extend(block("New trouble:", &new, TROUBLES_MAX));
        lines.extend(block("No trouble any more:", &gone, TROUBLES_MAX));
        let parts: Vec<String> = self.parts.iter().map(PartChange::in_short).collect();
        lines.extend(block("What is different:", &parts, PARTS_MAX));
        lines
    }

    fn sentence(&self, name: &str) -> String {
        let differ = match self.parts.len() {
            1 => format!("One part of the gateway {name} differs"),
            count => format!("{count} parts of the gateway {name} differ"),
        };
        match (self.effects.is_empty(), &self.unknown) {
            (true, None) => format!("{differ}; it does nothing to traffic."),
            _ => format!("{differ}."),
        }
    }
}

fn block(heading: &str, texts: &[String], most: usize) -> Vec<Line> {
    let (shown, more) = first(texts, most);
    let lines = shown.iter();
    let lines = lines.map(|text| Line::plain(format!("  {}", visible(text))));
    listed_with(heading, lines.collect(), more, "has them all")
}

impl Trouble {
    fn in_short(&self) -> String {
        match (self.cause, self.confidence) {
            (Some(cause), Some(sure)) => {
                format!("{} ({} {cause}, {sure})", self.says, self.code)
            }
            _ => format!("{} ({})", self.says, self.code),
        }
    }
}

impl PartChange {
    fn in_short(&self) -> String {
        let (kind, name) = (self.kind, &self.name);
        let members = |most: usize| {
            let shown = self.members.iter().take(most).map(MemberChange::in_short);
            let mut shown: Vec<String> = shown.collect();
            if self.members.len() > most {
                shown.push(format!("{} more", self.members.len() - most));
            }
            shown.join("; ")
        };
        match self.change {
            Change::Added if self.members.is_empty() => format!("+ {kind} {name}"),
            Change::Added => format!("+ {kind} {name}: {}", members(MEMBERS_MAX)),
            Change::Removed => format!("- {kind} {name}"),
            Change::Changed => format!("~ {kind} {name}: {}", members(usize::MAX)),
            Change::Renamed => {
                let was = self.was.as_deref().unwrap_or_default();
                match self.members.is_empty() {
                    true => {
                        format!("~ {kind} {was} is called {name} now, and is the same otherwise")
                    }
                    false => format!(
                        "~ {kind} {was} is called {name} now: {}",
                        members(usize::MAX)
                    ),
                }
            }
        }
    }
}

impl MemberChange {
    /// `requestTimeout 20 → 60`.
    pub(super) fn in_short(&self) -> String {
        let name = &self.member;
        let list = |sign: char, list: &[String]| {
            let shown = list.iter().take(ENTRIES_MAX);
            let mut shown: Vec<String> = shown.map(|one| format!("{sign}{}", cut(one))).collect();
            if list.len() > ENTRIES_MAX {
                shown.push(format!("{} more", list.len() - ENTRIES_MAX));
            }
            shown
        };
        match (&self.old, &self.new) {
            (Some(old), Some(new)) => format!("{name} {} → {}", cut(old), cut(new)),
            (None, Some(new)) => format!("{name} {}", cut(new)),
            (Some(old), None) => format!("{name} {} taken away", cut(old)),
            (None, None) if self.added.is_empty() && self.removed.is_empty() => {
                format!("{name} differs, and is not shown")
            }
            (None, None) => {
                let entries = [list('-', &self.removed), list('+', &self.added)].concat();
                format!("{name} {}", entries.join(" "))
            }
        }
    }
}

fn cut(text: &str) -> String {
    match beginning(text, VALUE_CHARS_MAX) {
        Some(shown) => format!("{shown}…"),
        None => text.to_owned(),
    }
}
