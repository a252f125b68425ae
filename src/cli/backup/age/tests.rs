//! Encrypted files are what age makes and reads, and nothing of one that was changed is given out.

use super::*;

/// Written by `age` 1.1.1: its key, and "whole" encrypted for it.
const FOREIGN_KEY: &str = "# created: 2026-11-27T17:59:21Z
# public key: age1ttkjz7uud2kv7r6uqtqq3jlh8m8rxf6uu7e6f2wfhfzmwdt77ues0tuzqp
AGE-SECRET-KEY-1CZ3Q39UQ5J3T2XDL6P2KA6FRQH8C5VMV8GP30MQUYXMYTVM9XUMSEWDX4F
";
const FOREIGN: &str = "YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IFgyNTUxOSBKQmdLdlErcjUvZ2hCTDhvWlB4NzJ1NUF6amowQnhDdDVKTlpWaWNQVGo4ClpQc3dnQUFKa21XMkVOK085cWtuMUY3OVVSc2NCL0FKbmlmM3IzVnE1b3cKLS0tIDBTam84YVFQcCtkQUllMER2bHdzUmNJK2dHTTZmclo1K2ZFQnpZbXpMOUUKw2hGc/1iH5A1LAjAiq29zP4xjaOjGPAXzxkf4FPzXK3oOH23Cw==";

/// Of a chunk, in the clear and sealed.
const CHUNK: usize = 64 << 10;
const SEALED: usize = CHUNK + 16;

fn encrypted(plain: &[u8], recipients: &[Recipient]) -> (Vec<u8>, FileKey) {
    let mut out = Vec::new();
    let (mut encrypting, key) = encrypt(&mut out, recipients).unwrap();
    // In pieces that are no chunks.
    plain.chunks(1000).for_each(|piece| encrypting.write_all(piece).unwrap());
    encrypting.finish().unwrap();
    (out, key)
}

fn decrypted(bytes: &[u8], keys: &Keys) -> Result<Vec<u8>, AgeError> {
    let mut plain = Vec::new();
    decrypt(bytes, keys)?.read_to_end(&mut plain)?;
    Ok(plain)
}

fn of(identity: Identity) -> Keys {
    Keys::Identities(vec![identity])
}

#[test]
fn what_age_wrote_is_read_by_the_key_that_age_made() {
    use base64::Engine;
    let identities = identities(FOREIGN_KEY).unwrap();
    let recipient = identities[0].recipient();
    assert!(FOREIGN_KEY.contains(&format!("public key: {recipient}\n")));
    assert!(FOREIGN_KEY.contains(identities[0].reveal().as_str()));
    let bytes = base64::prelude::BASE64_STANDARD.decode(FOREIGN).unwrap();
    assert_eq!(decrypted(&bytes, &Keys::Identities(identities)).unwrap(), b"whole");
}

#[test]
fn each_recipient_reads_it_whatever_its_length_and_nobody_else() {
    for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK] {
        let plain: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
        let (one, other) = (Identity::new(), Identity::new());
        let (bytes, key) = encrypted(&plain, &[one.recipient(), other.recipient()]);
        for keys in [of(one), of(other), Keys::File(key)] {
            assert!(decrypted(&bytes, &keys).unwrap() == plain, "{length}");
        }
        assert!(matches!(decrypted(&bytes, &of(Identity::new())), Err(AgeError::WrongKey)));
        let (_, key) = encrypted(&plain, &[Identity::new().recipient()]);
        assert!(matches!(decrypted(&bytes, &Keys::File(key)), Err(AgeError::Header)));
    }
}

#[test]
fn whatever_is_cut_off_or_flipped_or_put_behind_is_refused() {
    let identity = Identity::new();
    let (bytes, key) = encrypted(b"whole", &[identity.recipient()]);
    let keys = [of(identity), Keys::File(key)];
    for keys in &keys {
        for cut in 0..bytes.len() {
            assert!(decrypted(&bytes[..cut], keys).is_err(), "cut at {cut}");
        }
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(decrypted(&flipped, keys).is_err(), "bit {bit}");
        }
        assert!(decrypted(&[bytes.as_slice(), b"x"].concat(), keys).is_err());
    }
}

#[test]
fn chunks_count_only_in_their_order_and_with_the_last_one() {
    let identity = Identity::new();
    let (bytes, _) = encrypted(&vec![7; 3 * CHUNK], &[identity.recipient()]);
    let (keys, from) = (of(identity), bytes.len() - 3 * SEALED);
    let (head, chunks) = bytes.split_at(from);
    let chunks: Vec<_> = chunks.chunks(SEALED).collect();
    let put = |order: &[usize]| [&[head], &*order.iter().map(|at| chunks[*at]).collect::<Vec<_>>()].concat().concat();
    assert!(decrypted(&put(&[0, 1, 2]), &keys).is_ok());
    for order in [&[0, 1][..], &[1, 0, 2], &[0, 2], &[0, 1, 1, 2], &[0, 1, 2, 2], &[]] {
        assert!(decrypted(&put(order), &keys).is_err(), "{order:?}");
    }
}

#[test]
fn a_key_is_taken_only_as_age_writes_it() {
    let identity = Identity::new();
    let (public, secret) = (identity.recipient().to_string(), identity.reveal());
    assert_eq!(public.parse(), Ok(identity.recipient()));
    assert!(secret.parse::<Recipient>().unwrap_err().contains("secret half"));
    let typo = public.replace("age1", "age1q");
    let of_no_order = keys::encoded("age", &[0; 32]);
    for wrong in ["", "age1", &typo, &of_no_order, "ssh-ed25519 AAAA"] {
        assert!(wrong.parse::<Recipient>().is_err(), "{wrong}");
    }
    assert!(
        identities(&format!("# mine\n\n{}\n{}\n", *secret, *Identity::new().reveal()))
            .is_some_and(|all| all.len() == 2)
    );
    for wrong in ["", "# none", &public, &secret[..60]] {
        assert!(identities(wrong).is_none(), "{wrong}");
    }
}
