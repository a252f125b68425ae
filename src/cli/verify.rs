//! `hookwheel verify`: checks the signature of a request that was saved, for any dialect. What stays true: the body is
//! taken byte for byte, and an answer other than `valid` names its reason.

use std::io::Read;
use std::path::Path;

use clap::Args;

use super::contract::{Contract, ContractArgs};
use super::error::CliError;
use super::terminal::print;
use crate::dialect::{Received, VerifyError};

/// The arguments of `hookwheel verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    #[command(flatten)]
    contract: ContractArgs,
    /// A header of the request; give it once for each
    #[arg(long = "header", short = 'H', value_name = "NAME: VALUE", value_parser = header)]
    headers: Vec<(String, String)>,
    /// A file with the request's headers, one a line
    #[arg(long = "headers", value_name = "FILE")]
    headers_file: Option<String>,
    /// The request's body, byte for byte: a file, or - for standard input
    #[arg(long, value_name = "FILE", default_value = "-")]
    body: String,
    /// The URL that it was sent to, as the webhook has it: only for contracts that sign it
    #[arg(long, value_name = "URL")]
    webhook_url: Option<String>,
    /// How far the request's time may be from now; without it, a request of any age is valid
    #[arg(long, value_name = "SECONDS")]
    tolerance: Option<u64>,
}

/// Prints `valid`, or fails with the reason.
pub fn run(args: VerifyArgs, dialects: &Path) -> Result<(), CliError> {
    let mut headers = args.headers;
    if let Some(path) = &args.headers_file {
        let text = std::fs::read_to_string(path).map_err(CliError::io(path))?;
        headers.extend(read_headers(&text).map_err(|error| CliError::Failed(format!("{path}: {error}")))?);
    }
    let contract = args.contract.read(dialects)?;
    if contract.secrets.is_empty() {
        return Err(CliError::Failed("--secret is needed: the webhook's secret, or @FILE".into()));
    }
    let body = read_body(&args.body)?;
    let checked = check(&contract, &headers, args.webhook_url.as_deref(), &body, args.tolerance);
    checked.map_err(|reason| CliError::Failed(format!("not valid: {reason}")))?;
    print("valid\n")
}

fn check(
    contract: &Contract,
    headers: &[(String, String)],
    url: Option<&str>,
    body: &[u8],
    tolerance_seconds: Option<u64>,
) -> Result<(), String> {
    let header =
        |name: &str| headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone());
    let verified = |body| contract.verify(Received { header: &header, url, body }, tolerance_seconds);
    let checked = verified(body);
    checked.map_err(|error| match (&error, without_line_break(body)) {
        (VerifyError::NoUrl, _) => format!("{error}: --webhook-url"),
        (VerifyError::Mismatch(_), Some(shorter)) if verified(shorter).is_ok() => {
            format!("{error}\nwithout its last line break the body is valid: whatever saved it has added one")
        }
        _ => error.to_string(),
    })
}

/// The body without its last line break, which editors like to add; `None` if there is none.
fn without_line_break(body: &[u8]) -> Option<&[u8]> {
    let shorter = body.strip_suffix(b"\n")?;
    Some(shorter.strip_suffix(b"\r").unwrap_or(shorter))
}

fn read_body(from: &str) -> Result<Vec<u8>, CliError> {
    if from != "-" {
        return std::fs::read(from).map_err(CliError::io(from));
    }
    let mut body = Vec::new();
    std::io::stdin().read_to_end(&mut body).map_err(CliError::io("standard input"))?;
    Ok(body)
}

/// Reads headers as tools print them: one a line, perhaps below the request line, until a blank line.
fn read_headers(text: &str) -> Result<Vec<(String, String)>, String> {
    let is_request_line = |line: &str| line.contains(" HTTP/");
    let lines = text.lines().enumerate().skip_while(|(n, line)| *n == 0 && is_request_line(line));
    let of_line = |(n, line)| header(line).map_err(|error| format!("line {}: {error}", n + 1));
    lines.take_while(|(_, line)| !line.trim().is_empty()).map(of_line).collect()
}

fn header(text: &str) -> Result<(String, String), String> {
    match text.split_once(':') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.trim().to_owned())),
        _ => Err(format!("{text:?} is no header; write NAME: VALUE")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_as_tools_print_them() {
        let owned = |list: &[(&str, &str)]| -> Vec<(String, String)> {
            list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let text = "POST /hook HTTP/1.1\r\nHost: a:80\r\nwebhook-id:e1 \r\n\r\nbody: no header";
        assert_eq!(read_headers(text), Ok(owned(&[("Host", "a:80"), ("webhook-id", "e1")])));
        assert_eq!(read_headers("A: b"), Ok(owned(&[("A", "b")])));
        assert_eq!(read_headers("A: b\nnonsense"), Err("line 2: \"nonsense\" is no header; write NAME: VALUE".into()));
        assert_eq!(read_headers(""), Ok(Vec::new()));
    }
}
