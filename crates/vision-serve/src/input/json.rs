//! `{"image": ".."}` or `{"images": ["..", ..]}`, in base64.
//!
//! It is read piece by piece into what is wanted: a general value of JSON may take twenty times the memory of its text.

use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::input::{Item, Opened, no_images, too_many_images};
use crate::refusal::Refusal;

/// With or without `=` at the end.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

const EXPECTED: &str = r#"{"image": "BASE64"} or {"images": ["BASE64", ..]}"#;

/// What the error of a list that is too long begins with.
const TOO_MANY: &str = "too many images";

pub(super) fn images(json: &[u8], max_images: usize) -> Result<Opened, Refusal> {
    let mut reader = serde_json::Deserializer::from_slice(json);
    let read = Object { max_images }.deserialize(&mut reader);
    let read = read.and_then(|opened| reader.end().map(|()| opened));
    let opened = read.map_err(|error| match error.to_string() {
        message if message.starts_with(TOO_MANY) => too_many_images(max_images),
        message => Refusal::bad_request(
            "the JSON of the request cannot be read",
            "send the file of each image in base64, without line breaks",
        )
        .of(EXPECTED, message),
    })?;
    match opened {
        Opened::List(items) if items.is_empty() => Err(no_images(EXPECTED)),
        opened => Ok(opened),
    }
}

struct Object {
    max_images: usize,
}

impl<'de> DeserializeSeed<'de> for Object {
    type Value = Opened;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Opened, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Object {
    type Value = Opened;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(EXPECTED)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Opened, A::Error> {
        let mut found = None;
        while let Some(key) = map.next_key::<String>()? {
            if found.is_some() {
                return Err(A::Error::custom("more than one field"));
            }
            found = Some(match key.as_str() {
                "image" => Opened::One(Item::new("image", map.next_value_seed(Encoded)?)),
                "images" => Opened::List(map.next_value_seed(List(self.max_images))?),
                other => {
                    // A name of megabytes is not sent back.
                    let other: String = other.chars().take(50).collect();
                    return Err(A::Error::custom(format!("a field {other:?}")));
                }
            });
        }
        found.ok_or_else(|| A::Error::custom("no field"))
    }
}

/// A list of at most so many images.
struct List(usize);

impl<'de> DeserializeSeed<'de> for List {
    type Value = Vec<Item>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Vec<Item>, D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for List {
    type Value = Vec<Item>;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("a list of images in base64")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<Item>, A::Error> {
        let mut items = Vec::new();
        while let Some(bytes) = list.next_element_seed(Encoded)? {
            if items.len() == self.0 {
                return Err(A::Error::custom(TOO_MANY));
            }
            items.push(Item::new(format!("images[{}]", items.len()), bytes));
        }
        Ok(items)
    }
}

/// The bytes of an image in base64, also as a `data:` URL.
struct Encoded;

impl<'de> DeserializeSeed<'de> for Encoded {
    type Value = Vec<u8>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Vec<u8>, D::Error> {
        from.deserialize_str(self)
    }
}

impl Visitor<'_> for Encoded {
    type Value = Vec<u8>;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("an image in base64")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Vec<u8>, E> {
        let data = match text.strip_prefix("data:") {
            None => text,
            Some(url) => match url.split_once(";base64,") {
                Some((_, data)) => data,
                None => return Err(E::custom("a data URL that is not in base64")),
            },
        };
        BASE64
            .decode(data)
            .map_err(|error| E::custom(format!("bad base64: {error}")))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn names(json: &str) -> Vec<String> {
        match images(json.as_bytes(), 3).unwrap() {
            Opened::One(item) => vec![item.name],
            Opened::List(items) => items.into_iter().map(|item| item.name).collect(),
        }
    }

    #[test]
    fn one_image_or_a_list_is_read() {
        // The test vectors of RFC 4648.
        let one = images(br#" {"image": "Zm9vYmE="} "#, 1).unwrap();
        assert_eq!(one, Opened::One(Item::new("image", "fooba")));
        let url = images(br#"{"image": "data:image\/png;base64,Zm9vYg"}"#, 1).unwrap();
        assert_eq!(url, Opened::One(Item::new("image", "foob")));
        assert_eq!(
            names(r#"{"images": ["Zg==", "", "Zm8="]}"#),
            ["images[0]", "images[1]", "images[2]"]
        );
    }

    #[test]
    fn other_json_is_refused_with_what_was_found() {
        for (json, found) in [
            ("", "EOF"),
            ("[]", "sequence"),
            ("{}", "no field"),
            (r#"{"image": 3}"#, "integer"),
            (r#"{"image": "Zg==", "image": "Zg=="}"#, "more than one"),
            (r#"{"picture": "Zg=="}"#, "picture"),
            (r#"{"image": "Zg=="} x"#, "trailing"),
            (r#"{"image": "Zm9v YmE="}"#, "bad base64"),
            (r#"{"image": "data:image/png,abc"}"#, "data URL"),
            ("{\"image\": \"\u{0}\"}", "control character"),
        ] {
            let refusal = images(json.as_bytes(), 3).unwrap_err();
            assert_eq!(refusal.status, 400);
            assert!(
                refusal.found.clone().unwrap().contains(found),
                "{refusal:?}"
            );
        }
        assert_eq!(images(b"{\"image\": \"\xff\"}", 3).unwrap_err().status, 400);
        assert_eq!(images(br#"{"images": []}"#, 3).unwrap_err().status, 400);
        let many = format!(r#"{{"images": [{}""]}}"#, r#""","#.repeat(100_000));
        assert_eq!(
            images(many.as_bytes(), 3).unwrap_err().code,
            "too_many_images"
        );
        let deep = format!(r#"{{"images": {}"#, "[".repeat(1_000_000));
        assert_eq!(images(deep.as_bytes(), 3).unwrap_err().status, 400);
    }
}
