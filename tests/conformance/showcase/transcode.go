package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/googleapis/gapic-showcase/server/genproto"
	"github.com/googleapis/gapic-showcase/server/services"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Google's client in Go uses the first path of a method only, and leaves a slash in a value as it is. So the suite's requests are spelled
// a second time, as google.api.http has it: by each method's own path, in both of the names that a field has.

// A spelling of fields in paths and queries.
type spelling struct {
	name    string
	nameOf  func(protoreflect.FieldDescriptor) string
	base64  *base64.Encoding
	numbers bool // of enums, in place of names
}

var spellings = []spelling{
	{"JSON names", protoreflect.FieldDescriptor.JSONName, base64.StdEncoding, false},
	{"names of the schema", protoreflect.FieldDescriptor.TextName, base64.URLEncoding, true},
}

func (s spelling) value(field protoreflect.FieldDescriptor, value protoreflect.Value) string {
	switch field.Kind() {
	case protoreflect.BytesKind:
		return s.base64.EncodeToString(value.Bytes())
	case protoreflect.FloatKind:
		return strconv.FormatFloat(value.Float(), 'g', -1, 32)
	case protoreflect.DoubleKind:
		return strconv.FormatFloat(value.Float(), 'g', -1, 64)
	case protoreflect.EnumKind:
		known := field.Enum().Values().ByNumber(value.Enum())
		if s.numbers || known == nil {
			return strconv.Itoa(int(value.Enum()))
		}
		return string(known.Name())
	default:
		return value.String()
	}
}

// query adds each field that is set but for those that `elsewhere` has, by its path in the schema.
func (s spelling) query(message protoreflect.Message, prefix, path string, elsewhere map[string]bool, into url.Values) {
	message.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		name, here := prefix+s.nameOf(field), path+field.TextName()
		switch {
		case elsewhere[here]:
		case field.Message() != nil:
			s.query(value.Message(), name+".", here+".", elsewhere, into)
		default:
			into.Add(name, s.value(field, value))
		}
		return true
	})
}

func fieldAt(message protoreflect.Message, path string) (protoreflect.FieldDescriptor, protoreflect.Value) {
	names := strings.Split(path, ".")
	for _, name := range names[:len(names)-1] {
		message = message.Get(message.Descriptor().Fields().ByName(protoreflect.Name(name))).Message()
	}
	field := message.Descriptor().Fields().ByName(protoreflect.Name(names[len(names)-1]))
	return field, message.Get(field)
}

var variable = regexp.MustCompile(`\{([^=}]+)(?:=([^}]+))?\}`)

// pathOf fills a template; not if a value is not of the form that its variable has.
func (s spelling) pathOf(template string, message protoreflect.Message, elsewhere map[string]bool) (string, bool) {
	fits := true
	path := variable.ReplaceAllStringFunc(template, func(found string) string {
		parts := variable.FindStringSubmatch(found)
		elsewhere[parts[1]] = true
		field, value := fieldAt(message, parts[1])
		text := s.value(field, value)
		if parts[2] == "" {
			return url.PathEscape(text)
		}
		form := strings.NewReplacer(`\*\*`, ".*", `\*`, "[^/]+").Replace(regexp.QuoteMeta(parts[2]))
		fits = fits && regexp.MustCompile("^"+form+"$").MatchString(text)
		segments := strings.Split(text, "/")
		for i := range segments {
			segments[i] = url.PathEscape(segments[i])
		}
		return strings.Join(segments, "/")
	})
	return path, fits
}

func verbOf(rule *annotations.HttpRule) (verb, template string) {
	switch pattern := rule.GetPattern().(type) {
	case *annotations.HttpRule_Get:
		return http.MethodGet, pattern.Get
	case *annotations.HttpRule_Put:
		return http.MethodPut, pattern.Put
	case *annotations.HttpRule_Post:
		return http.MethodPost, pattern.Post
	case *annotations.HttpRule_Patch:
		return http.MethodPatch, pattern.Patch
	default:
		return http.MethodDelete, rule.GetDelete()
	}
}

func (s spelling) request(ctx context.Context, gateway string, method protoreflect.MethodDescriptor, message *genproto.RepeatRequest) (*http.Request, error) {
	first := proto.GetExtension(method.Options(), annotations.E_Http).(*annotations.HttpRule)
	for _, rule := range append([]*annotations.HttpRule{first}, first.GetAdditionalBindings()...) {
		elsewhere := map[string]bool{}
		verb, template := verbOf(rule)
		path, fits := s.pathOf(template, message.ProtoReflect(), elsewhere)
		if !fits {
			continue
		}
		var body []byte
		var err error
		query := url.Values{}
		options := protojson.MarshalOptions{UseProtoNames: s.numbers, UseEnumNumbers: s.numbers}
		switch rule.GetBody() {
		case "":
		case "*":
			body, err = options.Marshal(message)
		default:
			elsewhere[rule.GetBody()] = true
			_, part := fieldAt(message.ProtoReflect(), rule.GetBody())
			body, err = options.Marshal(part.Message().Interface())
		}
		if err != nil {
			return nil, err
		}
		if rule.GetBody() != "*" {
			s.query(message.ProtoReflect(), "", "", elsewhere, query)
		}
		request, err := http.NewRequestWithContext(ctx, verb, "http://"+gateway+path+"?"+query.Encode(), bytes.NewReader(body))
		if err == nil && body != nil {
			request.Header.Set("Content-Type", "application/json")
		}
		return request, err
	}
	return nil, fmt.Errorf("no path of %s fits", method.Name())
}

func (s spelling) call(ctx context.Context, gateway string, method protoreflect.MethodDescriptor, message *genproto.RepeatRequest) error {
	request, err := s.request(ctx, gateway, method, message)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	answer := &genproto.RepeatResponse{}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s: %s", request.Method, request.URL, response.Status, body)
	}
	if err := protojson.Unmarshal(body, answer); err != nil {
		return err
	}
	return same(message, answer.GetRequest())
}

func spelled(ctx context.Context, gateway string) {
	methods := genproto.File_google_showcase_v1beta1_compliance_proto.Services().ByName("Compliance").Methods()
	for _, group := range services.ComplianceSuite.GetGroup() {
		for _, request := range group.GetRequests() {
			for _, rpc := range group.GetRpcs() {
				method := methods.ByName(protoreflect.Name(strings.TrimPrefix(rpc, "Compliance.")))
				for _, spelling := range spellings {
					told(fmt.Sprintf("%s, %s: %s by %s", group.GetName(), request.GetName(), method.Name(), spelling.name),
						spelling.call(ctx, gateway, method, request))
				}
			}
		}
	}
}
