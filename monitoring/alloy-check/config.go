package main

import (
	"fmt"
	"os"

	"github.com/grafana/alloy/syntax/parser"
	"github.com/grafana/alloy/syntax/vm"
)

// What Alloy's components take, as far as ours are configured: an attribute or a block that stands in none of these is an error, as it
// is in Alloy. Names are those of the components' reference.
type config struct {
	Source  firehose `alloy:"loki.source.awsfirehose,block"`
	Relabel relabel  `alloy:"loki.relabel,block"`
	Process process  `alloy:"loki.process,block"`
	Write   write    `alloy:"loki.write,block"`
}

type firehose struct {
	Label string `alloy:",label"`
	HTTP  struct {
		Address string `alloy:"listen_address,attr"`
		Port    int    `alloy:"listen_port,attr"`
	} `alloy:"http,block"`
	ForwardTo []string `alloy:"forward_to,attr"`
	Rules     string   `alloy:"relabel_rules,attr,optional"`
}

type relabel struct {
	Label     string   `alloy:",label"`
	ForwardTo []string `alloy:"forward_to,attr"`
	Rules     []rule   `alloy:"rule,block"`
}

type rule struct {
	SourceLabels []string `alloy:"source_labels,attr"`
	Regex        string   `alloy:"regex,attr"`
	TargetLabel  string   `alloy:"target_label,attr"`
	Replacement  string   `alloy:"replacement,attr"`
}

type process struct {
	Label     string   `alloy:",label"`
	ForwardTo []string `alloy:"forward_to,attr"`
	Stages    []stage  `alloy:"stage,enum"`
}

// One stage: the one that is not nil.
type stage struct {
	StaticLabels       *values        `alloy:"static_labels,block,optional"`
	JSON               *jsonStage     `alloy:"json,block,optional"`
	Template           *templateStage `alloy:"template,block,optional"`
	Labels             *values        `alloy:"labels,block,optional"`
	Match              *match         `alloy:"match,block,optional"`
	LabelDrop          *names         `alloy:"label_drop,block,optional"`
	StructuredMetadata *values        `alloy:"structured_metadata,block,optional"`
}

type values struct {
	Values map[string]string `alloy:"values,attr"`
}

type names struct {
	Values []string `alloy:"values,attr"`
}

type jsonStage struct {
	Expressions map[string]string `alloy:"expressions,attr"`
}

type templateStage struct {
	Source   string `alloy:"source,attr"`
	Template string `alloy:"template,attr"`
}

type match struct {
	Selector   string `alloy:"selector,attr"`
	Action     string `alloy:"action,attr"`
	DropReason string `alloy:"drop_counter_reason,attr,optional"`
}

type write struct {
	Label    string `alloy:",label"`
	Endpoint struct {
		URL string `alloy:"url,attr"`
	} `alloy:"endpoint,block"`
}

// read parses and evaluates the file. What components export are words here, so that a reference to a component that there is none of
// is an error; who forwards to whom is then held against what the pipeline is.
func read(path string) (config, error) {
	var read config
	text, err := os.ReadFile(path)
	if err != nil {
		return read, err
	}
	file, err := parser.ParseFile(path, text)
	if err != nil {
		return read, err
	}
	scope := &vm.Scope{Variables: map[string]interface{}{"loki": map[string]interface{}{
		"relabel": map[string]interface{}{"log_group": map[string]interface{}{"rules": "relabel", "receiver": "relabel"}},
		"process": map[string]interface{}{"mono_pipeline": map[string]interface{}{"receiver": "process"}},
		"write":   map[string]interface{}{"loki": map[string]interface{}{"receiver": "write"}},
	}}}
	if err := vm.New(file).Evaluate(scope, &read); err != nil {
		return read, err
	}
	chained := len(read.Source.ForwardTo) == 1 && read.Source.ForwardTo[0] == "process" && read.Source.Rules == "relabel" &&
		len(read.Process.ForwardTo) == 1 && read.Process.ForwardTo[0] == "write"
	labels := []string{read.Relabel.Label, read.Process.Label, read.Write.Label}
	if !chained || fmt.Sprint(labels) != "[log_group mono_pipeline loki]" {
		return read, fmt.Errorf("%s: lines do not go from the source through the stages to Loki", path)
	}
	return read, nil
}
