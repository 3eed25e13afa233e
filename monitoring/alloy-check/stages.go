package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"text/template"

	"github.com/jmespath-community/go-jmespath"
)

// entry is a log line on its way through the stages.
type entry struct {
	Line      string            `json:"line"`
	Labels    map[string]string `json:"labels"`
	Metadata  map[string]string `json:"structured_metadata"`
	extracted map[string]interface{}
}

// What we configure of LogQL's selectors; anything else is refused rather than guessed at.
var selector = regexp.MustCompile(`^\{(\w+)="([^"]*)"\}$`)

// through runs one line as Alloy's `loki.process` does, with the same engines for templates (Go's) and expressions (JMESPath).
// Nil where a stage drops it.
func (c config) through(group, line string) (*entry, error) {
	e := &entry{Line: line, Labels: map[string]string{}, Metadata: map[string]string{}, extracted: map[string]interface{}{}}
	for _, r := range c.Relabel.Rules {
		if len(r.SourceLabels) != 1 || r.SourceLabels[0] != "__aws_cw_log_group" {
			return nil, fmt.Errorf("the rule for %s reads another label than the log group's", r.TargetLabel)
		}
		anchored, err := regexp.Compile("^(?:" + r.Regex + ")$")
		if err != nil {
			return nil, err
		}
		if at := anchored.FindStringSubmatchIndex(group); at != nil {
			e.Labels[r.TargetLabel] = string(anchored.ExpandString(nil, r.Replacement, group, at))
		}
	}
	for _, s := range c.Process.Stages {
		kept, err := s.run(e)
		if err != nil || !kept {
			return nil, err
		}
	}
	return e, nil
}

func (s stage) run(e *entry) (kept bool, err error) {
	switch {
	case s.StaticLabels != nil:
		for name, value := range s.StaticLabels.Values {
			e.Labels[name] = value
		}
	case s.JSON != nil:
		return true, s.JSON.run(e)
	case s.Template != nil:
		return true, s.Template.run(e)
	case s.Labels != nil:
		e.each(s.Labels.Values, e.Labels)
	case s.LabelDrop != nil:
		for _, name := range s.LabelDrop.Values {
			delete(e.Labels, name)
		}
	case s.StructuredMetadata != nil:
		e.each(s.StructuredMetadata.Values, e.Metadata)
	case s.Match != nil:
		part := selector.FindStringSubmatch(s.Match.Selector)
		if part == nil || s.Match.Action != "drop" {
			return false, fmt.Errorf("match %s, %s: not understood here", s.Match.Selector, s.Match.Action)
		}
		return e.Labels[part[1]] != part[2], nil
	}
	return true, nil
}

// A line that is not JSON passes with nothing extracted.
func (s *jsonStage) run(e *entry) error {
	var data map[string]interface{}
	if json.Unmarshal([]byte(e.Line), &data) != nil {
		return nil
	}
	for name, expression := range s.Expressions {
		compiled, err := jmespath.Compile(expression)
		if err != nil {
			return err
		}
		found, err := compiled.Search(data)
		if err != nil {
			continue
		}
		switch found.(type) {
		case nil, string, float64, bool:
		default: // objects and arrays are kept as their JSON
			text, err := json.Marshal(found)
			if err != nil {
				return err
			}
			found = string(text)
		}
		e.extracted[name] = found
	}
	return nil
}

func (s *templateStage) run(e *entry) error {
	parsed, err := template.New("stage").Parse(s.Template)
	if err != nil {
		return err
	}
	known := map[string]interface{}{"Entry": e.Line}
	for name, value := range e.extracted {
		if text, ok := text(value); ok {
			known[name] = text
		}
	}
	var made bytes.Buffer
	if err := parsed.Execute(&made, known); err != nil {
		return err
	}
	if made.Len() == 0 {
		delete(e.extracted, s.Source)
	} else {
		e.extracted[s.Source] = made.String()
	}
	return nil
}

// each copies extracted values; a source that is empty has the name of its target, and null is nothing.
func (e *entry) each(sources, into map[string]string) {
	for name, source := range sources {
		if source == "" {
			source = name
		}
		if text, ok := text(e.extracted[source]); ok {
			into[name] = text
		}
	}
}

func text(value interface{}) (string, bool) {
	switch it := value.(type) {
	case string:
		return it, true
	case float64:
		return strconv.FormatFloat(it, 'f', -1, 64), true
	case bool:
		return strconv.FormatBool(it), true
	}
	return "", false
}
