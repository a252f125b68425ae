//! What a condition is made of, and how it is asked. Pure. What stays true: all that takes time is counted in steps, and
//! once they are used up there is no answer.

use serde_json::Number;

use super::tree::Node;

/// Text that one step compares or counts, in bytes.
const STEP_BYTES: usize = 64;

/// What may still be spent on asking. A step is a value that is looked at, or 64 bytes of text.
#[derive(Debug, Clone, Copy)]
pub struct Steps(u64);

/// The steps are used up: whether it holds is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooCostly;

impl Steps {
    /// So many.
    pub fn new(steps: u64) -> Self {
        Self(steps)
    }

    /// How many are left.
    pub fn left(self) -> u64 {
        self.0
    }

    fn spend(&mut self, steps: u64) -> Result<(), TooCostly> {
        match self.0.checked_sub(steps) {
            Some(left) => self.0 = left,
            None => {
                self.0 = 0;
                return Err(TooCostly);
            }
        }
        Ok(())
    }

    fn spend_on_text(&mut self, bytes: usize) -> Result<(), TooCostly> {
        self.spend((bytes / STEP_BYTES) as u64)
    }
}

/// What holds or does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// One of them.
    Any(Vec<Test>),
    /// All of them.
    All(Vec<Test>),
    /// The opposite.
    Not(Box<Test>),
    /// The path leads anywhere.
    Exists(Path),
    /// Two values, compared.
    Compare(Operand, Relation, Operand),
}

/// What is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operand {
    /// As it was written: neither an array nor an object.
    Literal(Node<'static>),
    /// The value there, by a path that is single.
    At(Path),
    /// How long a text, an array or an object is.
    Length(Box<Operand>),
    /// To how many values a path leads.
    Count(Path),
    /// The value there, if the path leads to one alone.
    Value(Path),
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// `==`
    Equal,
    /// `!=`
    Other,
    /// `<`
    Less,
    /// `>`
    Greater,
    /// `<=`
    AtMost,
    /// `>=`
    AtLeast,
}

/// A way into the event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path(pub Vec<Segment>);

/// A step of the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    /// The field of this name.
    Field(Box<str>),
    /// The element at this place.
    Element(usize),
    /// All fields or elements.
    Each,
    /// Some elements.
    Slice {
        /// From here.
        from: usize,
        /// Up to here, and not this one.
        to: usize,
        /// So far apart; 0 gives none.
        step: usize,
    },
}

impl Path {
    /// Whether it leads to one value at most.
    pub fn is_single(&self) -> bool {
        self.0.iter().all(|segment| matches!(segment, Segment::Field(_) | Segment::Element(_)))
    }

    fn follow<'e>(&self, event: &'e Node<'e>, steps: &mut Steps) -> Result<Option<&'e Node<'e>>, TooCostly> {
        let mut found = None;
        let single = &mut |node| {
            found = Some(node);
            false
        };
        walk(event, &self.0, steps, single)?;
        Ok(found)
    }
}

/// Calls `found` with each value that a path leads to, until it says that it has seen enough. Says whether it has not.
fn walk<'e>(
    node: &'e Node<'e>,
    path: &[Segment],
    steps: &mut Steps,
    found: &mut impl FnMut(&'e Node<'e>) -> bool,
) -> Result<bool, TooCostly> {
    steps.spend(1)?;
    let Some((segment, rest)) = path.split_first() else { return Ok(found(node)) };
    let mut further = |next: Option<&'e Node<'e>>| next.map_or(Ok(true), |next| walk(next, rest, steps, found));
    match (segment, node) {
        (Segment::Field(name), _) => further(node.field(name)),
        (Segment::Element(index), _) => further(node.element(*index)),
        (Segment::Each, Node::Object(fields)) => until_enough(fields.iter().map(|(_, value)| value), further),
        (Segment::Each, Node::List(elements)) => until_enough(elements.iter(), further),
        (Segment::Slice { from, to, step }, Node::List(elements)) if *step > 0 => {
            let to = elements.len().min(*to);
            until_enough(elements[(*from).min(to)..to].iter().step_by(*step), further)
        }
        (Segment::Each | Segment::Slice { .. }, _) => Ok(true),
    }
}

fn until_enough<'e>(
    nodes: impl Iterator<Item = &'e Node<'e>>,
    mut further: impl FnMut(Option<&'e Node<'e>>) -> Result<bool, TooCostly>,
) -> Result<bool, TooCostly> {
    for node in nodes {
        if !further(Some(node))? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A value that is compared.
pub enum Held<'e> {
    /// In the event, or as it was written.
    Seen(&'e Node<'e>),
    /// Counted.
    Made(Node<'static>),
}

impl Held<'_> {
    /// The value.
    pub fn node(&self) -> &Node<'_> {
        match self {
            Held::Seen(node) => node,
            Held::Made(node) => node,
        }
    }
}

fn number(count: usize) -> Held<'static> {
    Held::Made(Node::Number(Number::from(count)))
}

impl Operand {
    /// What it is for an event, if anything.
    pub fn of<'e>(&'e self, event: &'e Node<'e>, steps: &mut Steps) -> Result<Option<Held<'e>>, TooCostly> {
        Ok(match self {
            Operand::Literal(literal) => Some(Held::Seen(literal)),
            Operand::At(path) => path.follow(event, steps)?.map(Held::Seen),
            Operand::Length(of) => match of.of(event, steps)?.as_ref().map(Held::node) {
                Some(Node::Text(text)) => {
                    steps.spend_on_text(text.len())?;
                    Some(number(text.chars().count()))
                }
                Some(Node::List(elements)) => Some(number(elements.len())),
                Some(Node::Object(fields)) => Some(number(fields.len())),
                _ => None,
            },
            Operand::Count(path) => {
                let mut count = 0;
                let counting = &mut |_| {
                    count += 1;
                    true
                };
                walk(event, &path.0, steps, counting)?;
                Some(number(count))
            }
            Operand::Value(path) => {
                let mut found = None;
                let alone = walk(event, &path.0, steps, &mut |node| found.replace(node).is_none())?;
                found.filter(|_| alone).map(Held::Seen)
            }
        })
    }
}

impl Test {
    /// Whether it holds for an event.
    pub fn holds<'e>(&'e self, event: &'e Node<'e>, steps: &mut Steps) -> Result<bool, TooCostly> {
        match self {
            Test::Any(tests) => holds_of(tests, true, event, steps),
            Test::All(tests) => holds_of(tests, false, event, steps).map(|failed| !failed),
            Test::Not(test) => Ok(!test.holds(event, steps)?),
            Test::Exists(path) => Ok(path.follow(event, steps)?.is_some()),
            Test::Compare(left, relation, right) => {
                let (left, right) = (left.of(event, steps)?, right.of(event, steps)?);
                compare(left.as_ref().map(Held::node), *relation, right.as_ref().map(Held::node), steps)
            }
        }
    }
}

/// Whether one of them is `sought`.
fn holds_of<'e>(tests: &'e [Test], sought: bool, event: &'e Node<'e>, steps: &mut Steps) -> Result<bool, TooCostly> {
    for test in tests {
        if test.holds(event, steps)? == sought {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What is not there equals only what is not there either. Order is one of values of the same kind; of those that have
/// none, each of two that differ is greater.
fn compare(
    left: Option<&Node<'_>>,
    relation: Relation,
    right: Option<&Node<'_>>,
    steps: &mut Steps,
) -> Result<bool, TooCostly> {
    let (left, right) = match (left, right) {
        (Some(left), Some(right)) => (left, right),
        (None, None) => return Ok(relation == Relation::Equal),
        _ => return Ok(relation == Relation::Other),
    };
    if let Relation::Equal | Relation::Other = relation {
        return Ok(are_equal(left, right, steps)? == (relation == Relation::Equal));
    }
    if std::mem::discriminant(left) != std::mem::discriminant(right) {
        return Ok(false);
    }
    let less = is_less(left, right, steps)?;
    Ok(match relation {
        Relation::Less => less,
        Relation::AtLeast => !less,
        Relation::AtMost => less || are_equal(left, right, steps)?,
        _ => !less && !are_equal(left, right, steps)?,
    })
}

fn is_less(left: &Node<'_>, right: &Node<'_>, steps: &mut Steps) -> Result<bool, TooCostly> {
    match (left, right) {
        (Node::Number(left), Node::Number(right)) => Ok(left.as_f64() < right.as_f64()),
        (Node::Text(left), Node::Text(right)) => {
            steps.spend_on_text(left.len().min(right.len()))?;
            Ok(left < right)
        }
        _ => Ok(false),
    }
}

/// Numbers are equal that are as near as a double tells.
fn are_equal(left: &Node<'_>, right: &Node<'_>, steps: &mut Steps) -> Result<bool, TooCostly> {
    match (left, right) {
        (Node::Number(left), Node::Number(right)) => Ok(left.as_f64() == right.as_f64()),
        _ => are_same(left, right, steps),
    }
}

/// As they are written: inside of arrays and objects 1 and 1.0 differ.
fn are_same(left: &Node<'_>, right: &Node<'_>, steps: &mut Steps) -> Result<bool, TooCostly> {
    steps.spend(1)?;
    if std::ptr::eq(left, right) {
        return Ok(true);
    }
    match (left, right) {
        (Node::Text(left), Node::Text(right)) if left.len() == right.len() => {
            steps.spend_on_text(left.len())?;
            Ok(left == right)
        }
        (Node::Text(_), Node::Text(_)) => Ok(false),
        (Node::List(left), Node::List(right)) => {
            let alike = left.len() == right.len();
            Ok(alike && are_all_same(left.iter().zip(right), steps)?)
        }
        (Node::Object(left), Node::Object(right)) => {
            let alike = left.len() == right.len();
            let mut fields = left.iter().zip(right).map(|(left, right)| (&left.1, &right.1));
            Ok(alike && are_same_names(left, right, steps)? && are_all_same(&mut fields, steps)?)
        }
        _ => Ok(left == right),
    }
}

type Field<'a> = (std::borrow::Cow<'a, str>, Node<'a>);

fn are_same_names(left: &[Field<'_>], right: &[Field<'_>], steps: &mut Steps) -> Result<bool, TooCostly> {
    for ((left, _), (right, _)) in left.iter().zip(right) {
        steps.spend(1)?;
        steps.spend_on_text(left.len())?;
        if left != right {
            return Ok(false);
        }
    }
    Ok(true)
}

fn are_all_same<'n>(
    pairs: impl Iterator<Item = (&'n Node<'n>, &'n Node<'n>)>,
    steps: &mut Steps,
) -> Result<bool, TooCostly> {
    for (left, right) in pairs {
        if !are_same(left, right, steps)? {
            return Ok(false);
        }
    }
    Ok(true)
}
