//! XML of any age of the vendor's product: by local names, in the vendor's namespaces or none.
//!
//! The namespace changed at least twice over the years and an update can change it under us, so names are compared without
//! it; but a document in somebody else's namespace is not an answer of this product. Documents with a DOCTYPE are refused
//! (no entities of their own), and so is anything cut off, nested deeper than [`MAX_DEPTH`], or followed by more.

use std::io::{self, BufRead, Read};

use quick_xml::XmlVersion;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::name::ResolveResult;
use quick_xml::reader::NsReader;

/// The vendor's answers are 5 levels deep; this leaves room and bounds the memory and the stack.
const MAX_DEPTH: usize = 64;

/// One text or tag with its attributes; a session's longest text, a chat message, is far shorter.
const MAX_ITEM: usize = 16 << 20;

/// The hosts that the vendor's namespaces begin with; identifiers, never called.
const VENDOR_HOSTS: [&str; 4] = ["www.beyondtrust.com", "beyondtrust.com", "www.bomgar.com", "bomgar.com"];

/// A text that is no answer of this product.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum XmlError {
    #[error("it is no well-formed XML ({0})")]
    Malformed(String),
    #[error("the XML ends before its root element does")]
    CutOff,
    #[error("the XML is in the foreign namespace `{0}`")]
    ForeignNamespace(String),
    #[error("the XML declares a document type, which this interface never does")]
    DocType,
    #[error("the XML is nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
}

/// An element's own facts, without what is inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    /// The local name.
    pub name: String,
    attributes: Vec<(String, String)>,
    /// Somebody else's namespace: an extension that we don't know.
    foreign: Option<String>,
}

impl Element {
    /// The attribute of this local name.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub fn is(&self, name: &str) -> bool {
        self.foreign.is_none() && self.name == name
    }

    /// The local name; empty in somebody else's namespace.
    pub fn own_name(&self) -> &str {
        if self.foreign.is_none() { &self.name } else { "" }
    }
}

/// What a walk meets next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    Open(Element),
    Text(String),
    Close,
    /// The document is over and was whole.
    End,
}

/// Walks through a document without keeping it.
pub struct Walker<R> {
    reader: NsReader<Metered<R>>,
    buffer: Vec<u8>,
    depth: usize,
    had_root: bool,
    /// An empty element was opened; its close comes next.
    close_next: bool,
}

impl<R: BufRead> Walker<R> {
    pub fn new(input: R) -> Self {
        let reader = NsReader::from_reader(Metered { input, left: 0 });
        Self { reader, buffer: Vec::new(), depth: 0, had_root: false, close_next: false }
    }

    /// The next item inside the root element, the root included.
    ///
    /// # Errors
    /// See [`XmlError`]; the walk is over then.
    pub fn next(&mut self) -> Result<Item, XmlError> {
        if std::mem::take(&mut self.close_next) {
            return Ok(self.close());
        }
        loop {
            self.buffer.clear();
            self.reader.get_mut().left = MAX_ITEM;
            let (namespace, event) = self.reader.read_resolved_event_into(&mut self.buffer).map_err(malformed)?;
            let inside = self.depth > 0;
            match event {
                Event::Start(tag) => {
                    let element = element(&namespace, &tag)?;
                    return self.open(element, false);
                }
                Event::Empty(tag) => {
                    let element = element(&namespace, &tag)?;
                    return self.open(element, true);
                }
                Event::End(_) => return Ok(self.close()),
                Event::Text(text) if inside => return Ok(Item::Text(text.xml_content(XmlVersion::Implicit1_0).into_owned())),
                Event::CData(text) if inside => return Ok(Item::Text(text.xml_content(XmlVersion::Implicit1_0).into_owned())),
                Event::GeneralRef(entity) if inside => return Ok(Item::Text(resolve(&entity)?)),
                Event::Text(text) if text.trim().is_empty() => {}
                Event::Text(_) | Event::CData(_) | Event::GeneralRef(_) => {
                    return Err(malformed("text outside of the root element"));
                }
                Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
                Event::DocType(_) => return Err(XmlError::DocType),
                Event::Eof if inside => return Err(XmlError::CutOff),
                Event::Eof if self.had_root => return Ok(Item::End),
                Event::Eof => return Err(malformed("there is no element")),
            }
        }
    }

    fn open(&mut self, element: Element, empty: bool) -> Result<Item, XmlError> {
        if self.depth == 0 && self.had_root {
            return Err(malformed("there is a second root element"));
        }
        if self.depth == MAX_DEPTH {
            return Err(XmlError::TooDeep);
        }
        if let (0, Some(namespace)) = (self.depth, &element.foreign) {
            return Err(XmlError::ForeignNamespace(namespace.clone()));
        }
        self.had_root = true;
        self.depth += 1;
        self.close_next = empty;
        Ok(Item::Open(element))
    }

    fn close(&mut self) -> Item {
        self.depth = self.depth.saturating_sub(1);
        Item::Close
    }
}

/// Lets so many bytes through until it is set anew, so that no single item fills the memory.
struct Metered<R> {
    input: R,
    left: usize,
}

impl<R: BufRead> Read for Metered<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let length = self.fill_buf()?.read(into)?;
        self.consume(length);
        Ok(length)
    }
}

impl<R: BufRead> BufRead for Metered<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.left == 0 {
            return Err(io::Error::other(format!("one text or tag is larger than {MAX_ITEM} bytes")));
        }
        let (left, buffer) = (self.left, self.input.fill_buf()?);
        Ok(&buffer[..buffer.len().min(left)])
    }

    fn consume(&mut self, length: usize) {
        self.left = self.left.saturating_sub(length);
        self.input.consume(length);
    }
}

/// An element with what is inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    element: Element,
    text: String,
    children: Vec<Node>,
}

impl Node {
    /// Reads a whole document. The caller bounds its size.
    ///
    /// # Errors
    /// See [`XmlError`].
    pub fn parse(document: &[u8]) -> Result<Self, XmlError> {
        let mut walker = Walker::new(document);
        let mut open: Vec<Node> = Vec::new();
        let mut root = None;
        loop {
            match walker.next()? {
                Item::Open(element) => open.push(Self::new(element)),
                Item::Text(text) => open.iter_mut().next_back().into_iter().for_each(|node| node.text.push_str(&text)),
                Item::Close => root = Self::fold(&mut open).or(root),
                Item::End => return root.ok_or_else(|| malformed("there is no element")),
            }
        }
    }

    /// The text without surrounding blanks; `None` when there is none, so that an empty element is like an absent one.
    pub fn text(&self) -> Option<&str> {
        Some(self.text.trim()).filter(|text| !text.is_empty() && *text != "null")
    }

    pub fn is(&self, name: &str) -> bool {
        self.element.is(name)
    }

    pub fn name(&self) -> &str {
        &self.element.name
    }

    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.element.attribute(name)
    }

    /// The first child of this local name.
    pub fn child(&self, name: &str) -> Option<&Node> {
        self.children.iter().find(|node| node.is(name))
    }

    /// All children of this local name.
    pub fn children<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Node> {
        self.children.iter().filter(move |node| node.is(name))
    }

    /// The text of the first child of this local name.
    pub fn text_of(&self, name: &str) -> Option<&str> {
        self.child(name)?.text()
    }

    /// The message of an `<error>`, as the root or right inside it; the vendor sends it with any HTTP status.
    pub fn error(&self) -> Option<&str> {
        let found = if self.element.is("error") { Some(self) } else { self.child("error") };
        found.map(|error| error.text().unwrap_or("an error without a text"))
    }

    fn new(element: Element) -> Self {
        Self { element, text: String::new(), children: Vec::new() }
    }

    /// Closes the innermost node: into its parent, or out as the root.
    fn fold(open: &mut Vec<Node>) -> Option<Node> {
        let closed = open.pop()?;
        match open.last_mut() {
            Some(parent) => {
                parent.children.push(closed);
                None
            }
            None => Some(closed),
        }
    }
}

fn element(namespace: &ResolveResult<'_>, tag: &BytesStart<'_>) -> Result<Element, XmlError> {
    let mut attributes = Vec::new();
    // Without the check for repeated names, which takes quadratic time; the first of two counts.
    for attribute in tag.attributes().with_checks(false) {
        let attribute = attribute.map_err(malformed)?;
        let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(malformed)?.into_owned();
        attributes.push((attribute.key.local_name().as_ref().to_owned(), value));
    }
    Ok(Element { name: tag.local_name().as_ref().to_owned(), attributes, foreign: foreign(namespace) })
}

fn foreign(namespace: &ResolveResult<'_>) -> Option<String> {
    match namespace {
        ResolveResult::Unbound => None,
        ResolveResult::Bound(name) => Some(name.0).filter(|name| !is_vendors(name)).map(str::to_owned),
        ResolveResult::Unknown(prefix) => Some(prefix.clone()),
    }
}

/// True for the vendor's API namespaces, of which four are known: `…bomgar.com/namespaces/API/…`,
/// `…beyondtrust.com/namespaces/API/…`, `…beyondtrust.com/sra/namespaces/API/…`.
fn is_vendors(namespace: &str) -> bool {
    let Some(rest) = namespace.strip_prefix("https://").or_else(|| namespace.strip_prefix("http://")) else { return false };
    let Some((host, path)) = rest.split_once('/') else { return false };
    VENDOR_HOSTS.contains(&host) && path.contains("namespaces/API/")
}

fn resolve(entity: &BytesRef<'_>) -> Result<String, XmlError> {
    if let Some(character) = entity.resolve_char_ref().map_err(malformed)? {
        return Ok(character.to_string());
    }
    resolve_xml_entity(entity).map(str::to_owned).ok_or_else(|| malformed("an unknown entity"))
}

fn malformed(reason: impl ToString) -> XmlError {
    XmlError::Malformed(reason.to_string())
}
