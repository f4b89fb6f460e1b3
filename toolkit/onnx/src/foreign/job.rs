//! One node of a file, while it is translated: its attributes are taken one by one, and what is
//! left over is refused.

use std::collections::BTreeMap;

use crate::attribute::Attribute;
use crate::proto::{
    ATTRIBUTE_FLOAT, ATTRIBUTE_FLOATS, ATTRIBUTE_INT, ATTRIBUTE_INTS, ATTRIBUTE_STRING,
    ATTRIBUTE_STRINGS, ATTRIBUTE_TENSOR, AttributeProto, NodeProto,
};

/// A node and what of its attributes was not looked at yet.
pub(super) struct Job<'a> {
    pub node: &'a NodeProto,
    /// Its name in the graph.
    pub name: String,
    /// Those that the graph can hold.
    pub attributes: BTreeMap<String, Attribute>,
    /// The others: tensors and lists.
    others: BTreeMap<&'a str, &'a AttributeProto>,
}

impl<'a> Job<'a> {
    /// # Errors
    /// The reason, if an attribute is none that an operator of the f64 evaluation has.
    pub fn new(node: &'a NodeProto, name: String) -> Result<Self, String> {
        let (mut attributes, mut others) = (BTreeMap::new(), BTreeMap::new());
        for proto in &node.attribute {
            let attribute = proto.name.as_str();
            if !proto.ref_attr_name.is_empty() {
                return Err(format!("its attribute {attribute:?} belongs to a function"));
            }
            if attributes.contains_key(attribute) || others.contains_key(attribute) {
                return Err(format!("it has the attribute {attribute:?} twice"));
            }
            let simple = match proto.r#type {
                ATTRIBUTE_FLOAT => proto.f.map(Attribute::Float),
                ATTRIBUTE_INT => proto.i.map(Attribute::Int),
                ATTRIBUTE_INTS => Some(Attribute::Ints(proto.ints.clone())),
                ATTRIBUTE_STRING => {
                    let text = proto.s.as_ref().map(|text| String::from_utf8(text.to_vec()));
                    text.and_then(Result::ok).map(Attribute::Text)
                }
                ATTRIBUTE_TENSOR | ATTRIBUTE_FLOATS | ATTRIBUTE_STRINGS => {
                    others.insert(attribute, proto);
                    continue;
                }
                _ => None,
            };
            let simple = simple.ok_or_else(|| {
                format!("its attribute {attribute:?} is no number, text, tensor or list of such")
            })?;
            attributes.insert(attribute.to_owned(), simple);
        }
        Ok(Self { node, name, attributes, others })
    }

    pub fn op(&self) -> &'a str {
        &self.node.op_type
    }

    /// The name of an input; `None` if it is not given.
    pub fn input(&self, place: usize) -> Option<&'a str> {
        self.node.input.get(place).map(String::as_str).filter(|name| !name.is_empty())
    }

    /// A tensor or list among the attributes.
    pub fn other(&mut self, name: &str) -> Option<&'a AttributeProto> {
        self.others.remove(name)
    }

    /// How a message tells an attribute that is not usable.
    pub fn wrong(&self, name: &str, found: Option<&Attribute>, expected: &str) -> String {
        let found = found.map_or_else(|| "missing".to_owned(), ToString::to_string);
        format!("its attribute {name} is {found}; it can be evaluated only if it is {expected}")
    }

    pub fn int(&mut self, name: &str, default: Option<i64>) -> Result<i64, String> {
        match (self.attributes.remove(name), default) {
            (Some(Attribute::Int(value)), _) => Ok(value),
            (None, Some(default)) => Ok(default),
            (found, _) => Err(self.wrong(name, found.as_ref(), "an integer")),
        }
    }

    pub fn flag(&mut self, name: &str, default: bool) -> Result<bool, String> {
        match self.int(name, Some(i64::from(default)))? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(self.wrong(name, Some(&Attribute::Int(other)), "0 or 1")),
        }
    }

    pub fn float(&mut self, name: &str, default: f32) -> Result<f32, String> {
        match self.attributes.remove(name) {
            None => Ok(default),
            Some(Attribute::Float(value)) if value.is_finite() => Ok(value),
            found => Err(self.wrong(name, found.as_ref(), "a finite float")),
        }
    }

    pub fn ints(&mut self, name: &str) -> Result<Option<Vec<i64>>, String> {
        match self.attributes.remove(name) {
            None => Ok(None),
            Some(Attribute::Ints(values)) => Ok(Some(values)),
            found => Err(self.wrong(name, found.as_ref(), "a list of integers")),
        }
    }

    pub fn text(&mut self, name: &str, default: &str) -> Result<String, String> {
        match self.attributes.remove(name) {
            None => Ok(default.to_owned()),
            Some(Attribute::Text(text)) => Ok(text),
            found => Err(self.wrong(name, found.as_ref(), "a text")),
        }
    }

    /// Takes an attribute that may only be left out or at this value.
    pub fn only(&mut self, name: &str, value: &Attribute) -> Result<(), String> {
        match self.attributes.remove(name) {
            None => Ok(()),
            Some(found) if found == *value => Ok(()),
            found => Err(self.wrong(name, found.as_ref(), &value.to_string())),
        }
    }

    /// Takes an attribute that changes nothing.
    pub fn ignore(&mut self, names: &[&str]) {
        for name in names {
            self.attributes.remove(*name);
        }
    }

    /// # Errors
    /// The reason, if an attribute was not looked at, or there are more inputs than the operator
    /// has.
    pub fn done(&self, most_inputs: usize) -> Result<(), String> {
        self.no_others()?;
        if let Some(name) = self.attributes.keys().next() {
            return Err(format!("its attribute {name:?} is not one that can be evaluated"));
        }
        let inputs = self.node.input.len();
        if inputs > most_inputs {
            return Err(format!("it has {inputs} inputs; it must have {most_inputs} at most"));
        }
        Ok(())
    }

    /// # Errors
    /// The reason, if a tensor or list among the attributes was not looked at.
    pub fn no_others(&self) -> Result<(), String> {
        match self.others.keys().next() {
            None => Ok(()),
            Some(name) => Err(format!("its attribute {name:?} is not one that can be evaluated")),
        }
    }
}
