//! Files of a form.

use std::convert::Infallible;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body_util::{BodyDataStream, Full};
use multer::Multipart;

use crate::input::{Item, no_images, too_many_images};
use crate::refusal::Refusal;

/// Fields of a form that are not files, at most.
const MOST_FIELDS: usize = 64;
/// How often a body that is whole may keep its reader waiting. It never does.
const MOST_WAITS: usize = 1000;

pub(super) fn images(body: Bytes, boundary: &str, max_images: usize) -> Result<Vec<Item>, Refusal> {
    // All of it is there, so that nothing waits, and no executor is needed.
    let mut reading = pin!(read(body, boundary, max_images));
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..MOST_WAITS {
        if let Poll::Ready(items) = reading.as_mut().poll(&mut context) {
            return items;
        }
    }
    Err(damaged("a form that ends early"))
}

async fn read(body: Bytes, boundary: &str, max_images: usize) -> Result<Vec<Item>, Refusal> {
    let stream = BodyDataStream::new(Full::<Bytes>::new(body));
    let mut form = Multipart::new::<_, Bytes, Infallible, _>(stream, boundary);
    let (mut items, mut others) = (Vec::new(), 0);
    while let Some(field) = form.next_field().await.map_err(damaged)? {
        let file = field.file_name().map(str::to_owned);
        let name = field.name().map(str::to_owned);
        // A browser sends an empty file with an empty name if none was chosen.
        let is_image = file.as_ref().is_some_and(|file| !file.is_empty())
            || file.is_none() && name.as_deref() == Some("image");
        let bytes = field.bytes().await.map_err(damaged)?;
        match is_image {
            true if items.len() == max_images => return Err(too_many_images(max_images)),
            true => items.push(Item::new(file.or(name).unwrap_or_default(), bytes)),
            false => {
                others += 1;
                if others > MOST_FIELDS {
                    return Err(damaged("more than 64 fields without a file"));
                }
            }
        }
    }
    if items.is_empty() {
        return Err(no_images(
            "a form with a file; with curl: -F image=@photo.jpg",
        ));
    }
    Ok(items)
}

fn damaged(found: impl ToString) -> Refusal {
    Refusal::bad_request(
        "the form of the request cannot be read",
        "let an HTTP library make the form; with curl: -F image=@photo.jpg",
    )
    .of("multipart/form-data with files (RFC 7578)", found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn part(headers: &str, content: &str) -> String {
        format!("--b\r\n{headers}\r\n\r\n{content}\r\n")
    }

    fn file(name: &str, content: &str) -> String {
        let header = format!("Content-Disposition: form-data; name=\"f\"; filename=\"{name}\"");
        part(&header, content)
    }

    fn read(body: &str, most: usize) -> Result<Vec<Item>, Refusal> {
        images(Bytes::from(body.to_owned()), "b", most)
    }

    #[test]
    fn files_and_a_field_called_image_are_images() {
        let field = |name: &str| {
            part(
                &format!("Content-Disposition: form-data; name=\"{name}\""),
                "x",
            )
        };
        let (a, other, image, none) = (
            file("../../etc/a.png", "one\r\n-- b"),
            field("note"),
            field("image"),
            file("", ""),
        );
        let items = read(&format!("{a}{other}{image}{none}--b--\r\n"), 2).unwrap();
        let expected = [
            Item::new("../../etc/a.png", "one\r\n-- b"),
            Item::new("image", "x"),
        ];
        assert_eq!(items, expected);
    }

    #[test]
    fn a_damaged_form_is_refused() {
        let (whole, many) = (file("a", "1"), field_flood());
        for body in [
            "",
            "--b",
            "--b--\r\n",
            "no form at all",
            whole.as_str(),
            "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a\"\r\n\r\n1",
            "--b\r\nContent-Disposition\r\n\r\n1\r\n--b--\r\n",
            "--b\r\n\r\n\r\n1\r\n--b--\r\n",
            many.as_str(),
        ] {
            let refusal = read(body, 5).unwrap_err();
            assert_eq!(refusal.status, 400, "{body:.100}: {refusal:?}");
        }
        let three = format!("{whole}{whole}{whole}--b--\r\n");
        assert_eq!(read(&three, 2).unwrap_err().code, "too_many_images");
        assert_eq!(read(&three, 3).unwrap().len(), 3);
    }

    fn field_flood() -> String {
        let field = part("Content-Disposition: form-data; name=\"x\"", "");
        format!("{}--b--\r\n", field.repeat(1000))
    }
}
