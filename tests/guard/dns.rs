//! A name server of a test's own on loopback. It answers each question as the test says, and may change its mind.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};

const A: u16 = 1;
const CNAME: u16 = 5;

/// A record of an answer.
#[derive(Debug, Clone, Copy)]
pub enum Record {
    /// An address of the name.
    Address(Ipv4Addr),
    /// Another name, and its address.
    Alias(&'static str, Ipv4Addr),
}

/// A running name server. It lives as long as the process.
pub struct Dns {
    /// Where it listens.
    pub address: SocketAddr,
    asked: Arc<Mutex<HashMap<String, usize>>>,
}

impl Dns {
    /// Answers the n-th question (from 0) for the addresses of a name as `answer` says. No records: there are none.
    pub fn start(answer: impl Fn(&str, usize) -> Vec<Record> + Send + 'static) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = socket.local_addr().expect("an address");
        let asked = Arc::new(Mutex::new(HashMap::new()));
        let counts: Arc<Mutex<HashMap<String, usize>>> = asked.clone();
        std::thread::spawn(move || {
            let mut packet = [0; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut packet) {
                let Some(question) = Question::read(&packet[..length]) else { continue };
                let mut records = Vec::new();
                if question.kind == A {
                    let mut counts = counts.lock().expect("no holder panics");
                    let count = counts.entry(question.name.clone()).or_default();
                    records = answer(&question.name, *count);
                    *count += 1;
                }
                socket.send_to(&question.answer(&records), from).expect("it can be answered");
            }
        });
        Self { address, asked }
    }

    /// Answers every question with this code and nothing else.
    pub fn failing(code: u8) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = socket.local_addr().expect("an address");
        std::thread::spawn(move || {
            let mut packet = [0; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut packet) {
                let Some(question) = Question::read(&packet[..length]) else { continue };
                let mut reply = question.answer(&[]);
                reply[3] |= code;
                socket.send_to(&reply, from).expect("it can be answered");
            }
        });
        Self { address, asked: Arc::default() }
    }

    /// How often the addresses of this name were asked for.
    pub fn asked(&self, name: &str) -> usize {
        self.asked.lock().expect("no holder panics").get(name).copied().unwrap_or_default()
    }
}

struct Question<'a> {
    id: [u8; 2],
    name: String,
    kind: u16,
    /// As it came: name, kind and class.
    bytes: &'a [u8],
}

impl<'a> Question<'a> {
    fn read(packet: &'a [u8]) -> Option<Self> {
        let (mut at, mut labels) = (12, Vec::new());
        loop {
            let length = usize::from(*packet.get(at)?);
            at += 1;
            if length == 0 {
                break;
            }
            labels.push(String::from_utf8_lossy(packet.get(at..at + length)?).to_lowercase());
            at += length;
        }
        let kind = u16::from_be_bytes(packet.get(at..at + 2)?.try_into().ok()?);
        let bytes = packet.get(12..at + 4)?;
        Some(Self { id: packet[..2].try_into().ok()?, name: labels.join("."), kind, bytes })
    }

    /// The reply with these records. Nothing may keep them: their time to live is 0.
    fn answer(&self, records: &[Record]) -> Vec<u8> {
        let mut rows = Vec::new();
        for record in records {
            // A pointer to the name in the question.
            let asked = vec![0xc0, 12];
            match record {
                Record::Address(address) => rows.push((asked, A, address.octets().to_vec())),
                Record::Alias(other, address) => {
                    rows.push((asked, CNAME, name(other)));
                    rows.push((name(other), A, address.octets().to_vec()));
                }
            }
        }
        let mut reply = self.id.to_vec();
        // A response, recursion desired and available; one question, so many answers.
        reply.extend([0x81, 0x80, 0, 1, 0, rows.len() as u8, 0, 0, 0, 0]);
        reply.extend(self.bytes);
        for (owner, kind, data) in rows {
            reply.extend(owner);
            reply.extend(kind.to_be_bytes());
            reply.extend([0, 1, 0, 0, 0, 0]);
            reply.extend((data.len() as u16).to_be_bytes());
            reply.extend(data);
        }
        reply
    }
}

fn name(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in text.split('.') {
        bytes.push(label.len() as u8);
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}
