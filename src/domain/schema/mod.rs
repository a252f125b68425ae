//! JSON Schemas, and whether data fits one. What stays true: whatever a schema says and whatever is asked of it, the answer
//! comes in bounded time, memory and stack, and nothing outside of the schema is fetched or read. So what one value can be
//! asked is counted ahead (`checks`), patterns are linear in time, and what would take too long is not asked at all.

mod checks;
mod graph;
mod patterns;

use std::fmt;

use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

use self::checks::Checks;
use self::graph::Graph;

/// Faults that are told of one value.
pub const FAULTS_MAX: usize = 20;
/// A fault's text, in characters: a schema may list thousands of values that would do.
const MESSAGE_CHARS_MAX: usize = 300;
/// Bytes of data times the checks that each of its values may take: at most about a second of a processor, and far less of any
/// schema that people write.
const WORK_MAX: u64 = 1 << 26;
/// The same of what is asked in a moment, by whoever serves the caller.
pub const WORK_AT_ONCE_MAX: u64 = 1 << 19;
/// Values times checks of which every fault is gathered: all are, before the first is told.
const GATHERED_MAX: u64 = 50_000;
/// Levels of data times steps that a schema takes on one: each takes some hundred bytes of stack.
const STACK_STEPS_MAX: usize = 600;
/// A compiled pattern, and what it keeps in mind of what it has read, in bytes.
const PATTERN_BYTES_MAX: usize = 64 * 1024;

/// A compiled schema.
pub struct Schema {
    validator: Validator,
    checks: Checks,
    patterns: usize,
}

/// What of some data does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where in the data: a JSON Pointer, empty for all of it.
    pub path: String,
    /// What is wrong there, without the value.
    pub message: String,
}

impl Fault {
    fn whole(message: impl Into<String>) -> Self {
        Self { path: String::new(), message: message.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() { f.write_str(&self.message) } else { write!(f, "{}: {}", self.path, self.message) }
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Schema").field("checks", &self.checks).finish_non_exhaustive()
    }
}

impl Schema {
    /// Compiles the text of a schema, in a few milliseconds. An error says what is wrong and where.
    pub fn compile(text: &str) -> Result<Self, String> {
        let mut schema: Value = serde_json::from_str(text).map_err(|error| format!("is not JSON: {error}"))?;
        let graph = Graph::of(&schema)?;
        let checks = Checks::of(&graph)?;
        let patterns = graph.patterns;
        let charge = patterns.charge;
        patterns.write_plain(&mut schema)?;
        let patterns = PatternOptions::regex().size_limit(PATTERN_BYTES_MAX).dfa_size_limit(PATTERN_BYTES_MAX);
        let options = jsonschema::options().offline().with_pattern_options(patterns).should_validate_formats(false);
        let validator = options.build(&schema).map_err(|error| {
            let at = format!("#{}", error.instance_path());
            let hint = match error.to_string().contains("regex") {
                true => " (patterns are linear in time: no look-around, no references back, and not too long)",
                false => "",
            };
            format!("at {at}: {}{hint}", shortened(error.to_string()))
        })?;
        Ok(Self { validator, checks, patterns: charge })
    }

    /// What an account is charged for its patterns, which take memory as long as there is the schema: one stands for about a
    /// hundred kilobytes at most.
    pub fn patterns(&self) -> usize {
        self.patterns
    }

    /// What asking about so many bytes of data takes at most: up to [`WORK_AT_ONCE_MAX`] that is a moment.
    pub fn work(&self, bytes: usize) -> u64 {
        (bytes as u64).saturating_mul(self.checks.of_value)
    }

    /// What of the data, which is JSON, does not fit: at most [`FAULTS_MAX`] faults, none if it fits. What cannot be asked within
    /// the bounds is a fault as well.
    pub fn faults(&self, data: &[u8]) -> Vec<Fault> {
        if self.work(data.len()) > WORK_MAX {
            return vec![Fault::whole(format!(
                "is too long for its schema: {} bytes, each value of which can take {} checks",
                data.len(),
                self.checks.of_value
            ))];
        }
        let value: Value = match serde_json::from_slice(data) {
            Ok(value) => value,
            // A number such as 1e999, which is JSON and none that a schema could compare.
            Err(error) => return vec![Fault::whole(format!("cannot be compared with its schema: {error}"))],
        };
        let (values, depth) = extent(&value);
        if depth.saturating_mul(self.checks.steps) > STACK_STEPS_MAX {
            return vec![Fault::whole("is nested too deep for its schema to be asked")];
        }
        if self.validator.is_valid(&value) {
            return Vec::new();
        }
        if (values as u64).saturating_mul(self.checks.of_value) > GATHERED_MAX {
            return vec![Fault::whole("does not fit its schema; it holds too much to say where")];
        }
        let errors = self.validator.iter_errors(&value).take(FAULTS_MAX);
        let fault = |error: jsonschema::ValidationError<'_>| Fault {
            path: error.instance_path().to_string(),
            message: shortened(error.masked().to_string()),
        };
        errors.map(fault).collect()
    }
}

fn shortened(text: String) -> String {
    match text.char_indices().nth(MESSAGE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// How many values there are in it, itself included, and how deep they lie.
fn extent(value: &Value) -> (usize, usize) {
    let (mut values, mut depth, mut open) = (0, 0, vec![(value, 1)]);
    while let Some((value, level)) = open.pop() {
        values += 1;
        depth = depth.max(level);
        match value {
            Value::Array(items) => open.extend(items.iter().map(|item| (item, level + 1))),
            Value::Object(fields) => open.extend(fields.values().map(|field| (field, level + 1))),
            _ => {}
        }
    }
    (values, depth)
}

#[cfg(test)]
mod tests;
