//! How several things are written in a body: one, an array, or one a line. What stays true: what is wrong with one of a thousand
//! is named by its index, its field and its line, and nothing of the body is copied to find that out.

use actix_web::HttpRequest;
use actix_web::http::header;
use serde::Deserialize;

use crate::api::http::problem::Problem;
use crate::api::http::request::read_json;

/// How the things of a request are written, and so how the reply is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One object.
    One,
    /// An array of objects.
    Array,
    /// One object after another, usually one a line.
    Lines,
}

/// What stands in such a body.
#[derive(Debug, Clone, Copy)]
pub struct Of {
    /// One of them, in a word.
    pub noun: &'static str,
    /// How many there may be.
    pub max: usize,
}

/// Whether a body says that it is one object a line.
pub fn is_ndjson(request: &HttpRequest) -> bool {
    let named = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = named.map(|text| text.split(';').next().unwrap_or_default().trim());
    essence.is_some_and(|text| {
        ["application/x-ndjson", "application/ndjson", "application/jsonl", "application/json-lines"]
            .iter()
            .any(|known| text.eq_ignore_ascii_case(known))
    })
}

/// Reads the body without copying what it holds. What is wrong with it is found by a second, slower reading.
pub fn read<'a, T: Deserialize<'a>>(body: &'a [u8], ndjson: bool, of: Of) -> Result<(Form, Vec<T>), Problem> {
    if !ndjson && body.trim_ascii_start().first() == Some(&b'[') {
        let all = serde_json::from_slice::<Vec<T>>(body).or_else(|_| read_json::<Vec<T>>(body))?;
        return bounded(Form::Array, all, of);
    }
    let mut all = Vec::with_capacity(1);
    let mut stream = serde_json::Deserializer::from_slice(body).into_iter::<T>();
    loop {
        let start = stream.byte_offset();
        match stream.next() {
            Some(Ok(one)) => all.push(one),
            Some(Err(_)) => return Err(unreadable::<T>(body, start, all.len(), ndjson, of)),
            None => break,
        }
        if all.len() > of.max {
            break;
        }
    }
    match (all.len(), ndjson) {
        (0, _) => Err(Problem::json(format!("the body holds no {}", of.noun))),
        (1, false) => Ok((Form::One, all)),
        _ => bounded(Form::Lines, all, of),
    }
}

fn bounded<T>(form: Form, all: Vec<T>, Of { noun, max }: Of) -> Result<(Form, Vec<T>), Problem> {
    match all.len() {
        0 => Err(Problem::json(format!("the batch holds no {noun}"))),
        count if count <= max => Ok((form, all)),
        _ => Err(Problem::json(format!("a batch holds at most {max} {noun}s; send several"))),
    }
}

/// What is wrong with the thing that starts at `start` and is the `index`-th of the body.
fn unreadable<'a, T: Deserialize<'a>>(body: &'a [u8], start: usize, index: usize, ndjson: bool, of: Of) -> Problem {
    let rest = &body[start..];
    let start = start + (rest.len() - rest.trim_ascii_start().len());
    if index == 0 && !ndjson {
        return read_json::<T>(body).err().unwrap_or_else(|| Problem::json(format!("is no {}", of.noun)));
    }
    // Up to the end of its line, so that the reading ends there; blank lines above keep line numbers right.
    let end = memchr::memchr(b'\n', &body[start..]).map_or(body.len(), |length| start + length);
    let line = line_of(body, start);
    match read_json::<T>(&body[start..end]) {
        Err(problem) => in_line(problem, index, line),
        Ok(_) => in_line(Problem::json(format!("more than one {} stands in this line", of.noun)), index, line),
    }
}

/// In which line of the body this byte is, from 1.
pub fn line_of(body: &[u8], at: usize) -> usize {
    memchr::memchr_iter(b'\n', &body[..at]).count() + 1
}

/// A problem with the `index`-th, which stands in that line: the lines that the problem itself speaks of are within it.
pub fn in_line(problem: Problem, index: usize, line: usize) -> Problem {
    let field = problem.field().map_or(format!("[{index}]"), |field| format!("[{index}].{field}"));
    problem
        .with_message(|message| {
            format!("line {line}: {}", message.replace(" at line 1 ", " at ").replace("(line 1 ", "("))
        })
        .with_field(field)
}

/// The path of a field of the `index`-th.
pub fn at(form: Form, index: usize, field: &str) -> String {
    if form == Form::One { field.to_string() } else { format!("[{index}].{field}") }
}
