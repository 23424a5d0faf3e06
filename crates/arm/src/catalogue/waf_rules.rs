//! The table of the firewall's managed rules: its texts, in the form that `waf_rules/crs_3.txt`
//! tells, and their reader.

use std::collections::HashMap;
use std::sync::LazyLock;

/// In the order in which they are read: a later text takes up the words of an earlier one.
const TEXTS: [&str; 3] = [
    include_str!("waf_rules/crs_3.txt"),
    include_str!("waf_rules/crs_2.txt"),
    include_str!("waf_rules/microsoft.txt"),
];

/// What almost every rule does: it adds to the request's score.
const USUAL_ACTION: &str = "AnomalyScoring";

/// A test holds that the texts can be read, so that this is never empty.
static RULE_SETS: LazyLock<Vec<RuleSet<'static>>> =
    LazyLock::new(|| read(&TEXTS).unwrap_or_default());

/// The rule sets, in the service's order.
pub(super) fn rule_sets() -> &'static [RuleSet<'static>] {
    &RULE_SETS
}

/// One of the two answers that list rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    List,
    Manifest,
}

impl Answer {
    /// Whether this answer has what only `only_in` has (`None`: both have it).
    pub(super) fn has(self, only_in: Option<Answer>) -> bool {
        only_in.is_none_or(|answer| answer == self)
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct RuleSet<'a> {
    pub(super) kind: &'a str,
    pub(super) version: &'a str,
    pub(super) status: &'a str,
    pub(super) tiers: Vec<&'a str>,
    pub(super) only_in: Option<Answer>,
    pub(super) groups: Vec<RuleGroup<'a>>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct RuleGroup<'a> {
    pub(super) name: &'a str,
    /// Empty where the service has none.
    pub(super) description: &'a str,
    pub(super) rules: Vec<Rule<'a>>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rule<'a> {
    pub(super) id: u32,
    pub(super) description: &'a str,
    pub(super) action: &'a str,
    pub(super) only_in: Option<Answer>,
}

/// A line that is not of the table's form.
#[derive(Debug, PartialEq, Eq)]
struct BadLine<'a>(&'a str);

fn read<'a>(texts: &[&'a str]) -> Result<Vec<RuleSet<'a>>, BadLine<'a>> {
    let mut table = Table::default();
    for line in texts.iter().flat_map(|text| text.lines()) {
        if !line.is_empty() && !line.starts_with('#') {
            table.line(line).ok_or(BadLine(line))?;
        }
    }
    Ok(table.sets)
}

#[derive(Default)]
struct Table<'a> {
    sets: Vec<RuleSet<'a>>,
    /// The words that each id had last.
    words: HashMap<u32, &'a str>,
}

impl<'a> Table<'a> {
    /// Takes in a line; `None` where it has no place or no form.
    fn line(&mut self, line: &'a str) -> Option<()> {
        let (first, rest) = line.split_once(' ')?;
        match first {
            "set" => self.sets.push(set(rest)?),
            "group" => self.sets.last_mut()?.groups.push(group(rest)),
            "same" => {
                for id in rest.split(' ') {
                    self.rule(id, Tags::default(), "")?;
                }
            }
            id => {
                let (tags, words) = tags(rest)?;
                self.rule(id, tags, words)?;
            }
        }
        Some(())
    }

    fn rule(&mut self, id: &str, tags: Tags<'a>, words: &'a str) -> Option<()> {
        let id = id.parse().ok()?;
        if !words.is_empty() {
            self.words.insert(id, words);
        }
        let rule = Rule {
            id,
            description: self.words.get(&id)?,
            action: tags.action.unwrap_or(USUAL_ACTION),
            only_in: tags.only_in,
        };
        self.sets.last_mut()?.groups.last_mut()?.rules.push(rule);
        Some(())
    }
}

#[derive(Default)]
struct Tags<'a> {
    action: Option<&'a str>,
    only_in: Option<Answer>,
}

/// The tags before `text`, if any, and what is left of it.
fn tags(text: &str) -> Option<(Tags<'_>, &str)> {
    let mut tags = Tags::default();
    let Some(inner) = text.strip_prefix('[') else {
        return Some((tags, text));
    };
    let (inner, words) = inner.split_once(']')?;
    for tag in inner.split(", ") {
        match tag {
            "list" => tags.only_in = Some(Answer::List),
            "manifest" => tags.only_in = Some(Answer::Manifest),
            "Allow" | "Block" | "Log" => tags.action = Some(tag),
            _ => return None,
        }
    }
    Some((tags, words.trim_start()))
}

/// `TYPE VERSION STATUS TIER... [TAG]`
fn set(text: &str) -> Option<RuleSet<'_>> {
    let (text, only_in) = match text.find('[') {
        Some(at) => {
            let (text, tag) = text.split_at(at);
            (text, tags(tag)?.0.only_in)
        }
        None => (text, None),
    };
    let mut words = text.split_whitespace();
    let set = RuleSet {
        kind: words.next()?,
        version: words.next()?,
        status: words.next()?,
        tiers: words.collect(),
        only_in,
        groups: Vec::new(),
    };
    (!set.tiers.is_empty()).then_some(set)
}

/// `NAME: WORDS`
fn group(text: &str) -> RuleGroup<'_> {
    let (name, description) = text.split_once(": ").unwrap_or((text, ""));
    RuleGroup {
        name,
        description,
        rules: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_texts_can_be_read_and_every_group_has_rules_once() {
        let sets = read(&TEXTS).expect("texts of the table's form");
        let rules = |set: &RuleSet<'_>| set.groups.iter().map(|g| g.rules.len()).sum::<usize>();
        assert_eq!(sets.len(), 8);
        assert_eq!(sets.iter().map(rules).sum::<usize>(), 978);
        for set in &sets {
            assert!(!set.groups.is_empty(), "{} {}", set.kind, set.version);
            for answer in [Answer::List, Answer::Manifest] {
                let groups = set.groups.iter().flat_map(|group| &group.rules);
                let shown = groups.filter(|rule| answer.has(rule.only_in));
                let mut ids: Vec<u32> = shown.map(|rule| rule.id).collect();
                let all = ids.len();
                ids.sort_unstable();
                ids.dedup();
                assert_eq!(ids.len(), all, "{} {}", set.kind, set.version);
            }
            for group in &set.groups {
                assert!(!group.rules.is_empty(), "{}", group.name);
            }
        }
    }

    #[test]
    fn a_rule_keeps_the_words_that_its_id_had_last() {
        let text = "set A 1 GA WAF WAF_v2 [manifest]\ngroup one: First.\n1 Words: [a], \
                    b\n2 [Log, list] Others\nset B 2 Preview WAF_v2\ngroup two\nsame 2 1\n2 New\n1 \
                    [Block]";
        let sets = read(&[text]).expect("a table");
        let rule = |id, description, action, only_in| Rule {
            id,
            description,
            action,
            only_in,
        };
        let [a, b] = &sets[..] else {
            panic!("{sets:?}")
        };
        assert_eq!((a.kind, a.version, a.status), ("A", "1", "GA"));
        assert_eq!(a.tiers, ["WAF", "WAF_v2"]);
        assert_eq!((a.only_in, b.only_in), (Some(Answer::Manifest), None));
        assert_eq!(
            (a.groups[0].name, a.groups[0].description),
            ("one", "First.")
        );
        assert_eq!((b.groups[0].name, b.groups[0].description), ("two", ""));
        let usual = USUAL_ACTION;
        let expected = [
            rule(1, "Words: [a], b", usual, None),
            rule(2, "Others", "Log", Some(Answer::List)),
        ];
        assert_eq!(a.groups[0].rules, expected);
        let expected = [
            rule(2, "Others", usual, None),
            rule(1, "Words: [a], b", usual, None),
            rule(2, "New", usual, None),
            rule(1, "Words: [a], b", "Block", None),
        ];
        assert_eq!(b.groups[0].rules, expected);
    }

    #[test]
    fn a_line_of_another_form_is_refused() {
        let head = "set A 1 GA WAF\ngroup one";
        for bad in [
            "same 1",
            "x Words",
            "1 [Later] Words",
            "1 [Log Words",
            "1 [Log]",
            "set A 1 GA",
            "nothing",
        ] {
            let text = format!("{head}\n{bad}");
            assert_eq!(read(&[&text]), Err(BadLine(bad)), "{bad}");
        }
        for early in ["1 Words", "group one"] {
            assert_eq!(read(&[early]), Err(BadLine(early)));
        }
    }
}
