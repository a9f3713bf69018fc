// Command showcase has Google's gapic-showcase before and behind a gateway: its server by gRPC, its clients of REST, which Google's
// generator has made, and its compliance suite.
//
//	showcase descriptors FILE     writes the descriptor set of its API
//	showcase calls GATEWAY SERVER serves at SERVER, and calls through GATEWAY
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"reflect"
	"strings"
	"time"

	"cloud.google.com/go/iam/apiv1/iampb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/googleapis/gapic-showcase/client"
	"github.com/googleapis/gapic-showcase/server"
	"github.com/googleapis/gapic-showcase/server/genproto"
	"github.com/googleapis/gapic-showcase/server/services"
	"github.com/googleapis/gapic-showcase/util/genrest/resttools"
	gax "github.com/googleapis/gax-go/v2"
	"github.com/googleapis/gax-go/v2/apierror"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"
	"google.golang.org/genproto/googleapis/cloud/location"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

// ---- The schema, and the server ----------------------------------------------------------------------------

// roots are the files of the API, and of the services that it mixes in.
var roots = []string{
	"google/showcase/v1beta1/compliance.proto", "google/showcase/v1beta1/echo.proto", "google/showcase/v1beta1/identity.proto",
	"google/showcase/v1beta1/messaging.proto", "google/showcase/v1beta1/sequence.proto", "google/showcase/v1beta1/testing.proto",
	"google/cloud/location/locations.proto", "google/iam/v1/iam_policy.proto", "google/longrunning/operations.proto",
}

func writeDescriptors(path string) error {
	set, known := &descriptorpb.FileDescriptorSet{}, map[string]bool{}
	var add func(file protoreflect.FileDescriptor)
	add = func(file protoreflect.FileDescriptor) {
		if known[file.Path()] {
			return
		}
		known[file.Path()] = true
		for i := 0; i < file.Imports().Len(); i++ {
			add(file.Imports().Get(i).FileDescriptor)
		}
		set.File = append(set.File, protodesc.ToFileDescriptorProto(file))
	}
	for _, root := range roots {
		file, err := protoregistry.GlobalFiles.FindFileByPath(root)
		if err != nil {
			return fmt.Errorf("%s: %w", root, err)
		}
		add(file)
	}
	bytes, err := proto.Marshal(set)
	if err != nil {
		return err
	}
	return os.WriteFile(path, bytes, 0o644)
}

// Over gRPC the suite's server cannot know by which of a method's paths a request came, and takes what it is told; a wrong one shows
// in the fields that it fills.
func believe(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	if repeat, ok := request.(*genproto.RepeatRequest); ok {
		ctx = context.WithValue(ctx, resttools.BindingURIKey, repeat.GetIntendedBindingUri())
	}
	return handle(ctx, request)
}

func serve(address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	served := grpc.NewServer(grpc.UnaryInterceptor(believe))
	identity := services.NewIdentityServer()
	messaging := services.NewMessagingServer(identity)
	genproto.RegisterComplianceServer(served, services.NewComplianceServer())
	genproto.RegisterEchoServer(served, services.NewEchoServer())
	genproto.RegisterIdentityServer(served, identity)
	genproto.RegisterMessagingServer(served, messaging)
	genproto.RegisterSequenceServiceServer(served, services.NewSequenceServer())
	genproto.RegisterTestingServer(served, services.NewTestingServer(server.ShowcaseObserverRegistry()))
	longrunningpb.RegisterOperationsServer(served, services.NewOperationsServer(messaging))
	location.RegisterLocationsServer(served, services.NewLocationsServer())
	iampb.RegisterIAMPolicyServer(served, services.NewIAMPolicyServer())
	go func() { log.Fatal(served.Serve(listener)) }()
	return nil
}

// ---- What is checked ---------------------------------------------------------------------------------------

var passed, failed int

func told(name string, err error) {
	if err == nil {
		passed++
		return
	}
	failed++
	text := err.Error()
	var api *apierror.APIError
	if errors.As(err, &api) {
		text = fmt.Sprintf("%s %v", text, api.Details())
	}
	fmt.Printf("FAILED  %s: %s\n", name, text)
}

func same(wanted, got proto.Message) error {
	if !proto.Equal(wanted, got) {
		return fmt.Errorf("wanted %v, got %v", wanted, got)
	}
	return nil
}

func expect(what string, wanted, got any) error {
	if !reflect.DeepEqual(wanted, got) {
		return fmt.Errorf("%s: wanted %v, got %v", what, wanted, got)
	}
	return nil
}

// all reads an iterator of Google's clients to its end.
func all[T any](next func() (T, error)) ([]T, error) {
	var found []T
	for {
		item, err := next()
		if errors.Is(err, iterator.Done) {
			return found, nil
		}
		if err != nil {
			return found, err
		}
		found = append(found, item)
	}
}

// What Google's client spells otherwise than its server's rules have it; transcode.go calls these.
var clientErrs = map[string]bool{
	"Extreme values: RepeatDataSimplePath":                       true,
	"Binding testing additional binding: RepeatDataPathResource": true,
}

// The suite: each request of a group, by each of its methods.
func suite(ctx context.Context, compliance *client.ComplianceClient) {
	for _, group := range services.ComplianceSuite.GetGroup() {
		for _, request := range group.GetRequests() {
			for _, rpc := range group.GetRpcs() {
				method := strings.TrimPrefix(rpc, "Compliance.")
				if clientErrs[request.GetName()+": "+method] {
					continue
				}
				answers := reflect.ValueOf(compliance).MethodByName(method).Call([]reflect.Value{reflect.ValueOf(ctx), reflect.ValueOf(request)})
				err, _ := answers[1].Interface().(error)
				if err == nil {
					err = same(request, answers[0].Interface().(*genproto.RepeatResponse).GetRequest())
				}
				told(fmt.Sprintf("%s, %s: %s", group.GetName(), request.GetName(), method), err)
			}
		}
	}
	for _, unknown := range []bool{false, true} {
		answer, err := compliance.GetEnum(ctx, &genproto.EnumRequest{UnknownEnum: unknown})
		told("GetEnum", err)
		again, err := compliance.VerifyEnum(ctx, answer)
		told("VerifyEnum", err)
		told("VerifyEnum's answer", expect("continent", answer.GetContinent(), again.GetContinent()))
	}
}

func echoes(ctx context.Context, echo *client.EchoClient) {
	request := &genproto.EchoRequest{Response: &genproto.EchoRequest_Content{Content: "☃ \"\\\n"}, Severity: genproto.Severity_CRITICAL, Header: "projects/p/instances/i"}
	answer, err := echo.Echo(ctx, request)
	told("Echo", err)
	told("Echo's answer", expect("content", request.GetContent(), answer.GetContent()))
	told("Echo's answer", expect("severity", request.GetSeverity(), answer.GetSeverity()))
	told("Echo's answer", expect("a request id", 36, len(answer.GetRequestId())))

	info, _ := anypb.New(&errdetails.ErrorInfo{Reason: "NO_TEA", Domain: "showcase", Metadata: map[string]string{"cup": "1"}})
	help, _ := anypb.New(&errdetails.LocalizedMessage{Locale: "de", Message: "kein Tee"})
	for code := codes.Canceled; code <= codes.Unauthenticated; code++ {
		_, err = echo.Echo(ctx, &genproto.EchoRequest{Response: &genproto.EchoRequest_Error{Error: &rpcstatus.Status{
			Code: int32(code), Message: "no tea", Details: []*anypb.Any{info, help}}}}, noRetry)
		told(fmt.Sprintf("Echo of %s", code), refused(err, code, "NO_TEA", "kein Tee"))
	}

	own, _ := anypb.New(&genproto.EchoResponse{Content: "a message of the API's own"})
	_, err = echo.Echo(ctx, &genproto.EchoRequest{Response: &genproto.EchoRequest_Error{Error: &rpcstatus.Status{
		Code: int32(codes.Aborted), Message: "no tea", Details: []*anypb.Any{own}}}}, noRetry)
	var api *apierror.APIError
	told("Echo of an error with a message of its own", expect("details", true, errors.As(err, &api) && len(api.Details().Unknown) == 1))

	details, err := echo.EchoErrorDetails(ctx, &genproto.EchoErrorDetailsRequest{SingleDetailText: "a", MultiDetailText: []string{"b", "c"}})
	told("EchoErrorDetails", err)
	told("EchoErrorDetails' answer", expect("details", 2, len(details.GetMultipleDetails().GetError().GetDetails())))

	for _, words := range []string{"", "one", "the rain in Spain stays mainly in the plain"} {
		got, err := expanded(ctx, echo, &genproto.ExpandRequest{Content: words})
		told("Expand", err)
		told("Expand's answers", expect("words", words, strings.Join(got, " ")))
	}
	got, err := expanded(ctx, echo, &genproto.ExpandRequest{Content: "one two", Error: &rpcstatus.Status{Code: int32(codes.DataLoss), Message: "no more"}})
	told("Expand, broken off", expect("words", []string{"one", "two"}, got))
	told("Expand, broken off", expect("an error is told", true, err != nil))

	pages := echo.PagedExpand(ctx, &genproto.PagedExpandRequest{Content: "a b c d e", PageSize: 2})
	items, err := all(pages.Next)
	told("PagedExpand", err)
	told("PagedExpand's answers", expect("words", 5, len(items)))
	legacy, err := all(echo.PagedExpandLegacy(ctx, &genproto.PagedExpandLegacyRequest{Content: "a b c d e", MaxResults: 2}).Next)
	told("PagedExpandLegacy", err)
	told("PagedExpandLegacy's answers", expect("words", 5, len(legacy)))
	mapped, err := all(echo.PagedExpandLegacyMapped(ctx, &genproto.PagedExpandRequest{Content: "ant bee asp", PageSize: 2}).Next)
	told("PagedExpandLegacyMapped", err)
	told("PagedExpandLegacyMapped's answers", expect("letters", 4, len(mapped)))

	block, err := echo.Block(ctx, &genproto.BlockRequest{ResponseDelay: durationpb.New(time.Millisecond),
		Response: &genproto.BlockRequest_Success{Success: &genproto.BlockResponse{Content: "done"}}})
	told("Block", err)
	told("Block's answer", expect("content", "done", block.GetContent()))

	waits(ctx, echo)
	mixins(ctx, echo)
}

func expanded(ctx context.Context, echo *client.EchoClient, request *genproto.ExpandRequest) ([]string, error) {
	stream, err := echo.Expand(ctx, request)
	if err != nil {
		return nil, err
	}
	var words []string
	for {
		answer, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return words, nil
		}
		if err != nil {
			return words, err
		}
		words = append(words, answer.GetContent())
	}
}

// refused: the error has the code's HTTP status, the reason and the message for people.
func refused(err error, code codes.Code, reason, message string) error {
	var api *apierror.APIError
	if !errors.As(err, &api) {
		return fmt.Errorf("wanted an error of the API, got %v", err)
	}
	if status, wanted := api.HTTPCode(), resttools.GRPCToHTTP(code); status != wanted {
		return fmt.Errorf("wanted HTTP's %d, got %d", wanted, status)
	}
	if api.Reason() != reason || api.Details().LocalizedMessage.GetMessage() != message {
		return fmt.Errorf("wanted %s and %s, got %s and %v", reason, message, api.Reason(), api.Details())
	}
	return nil
}

func waits(ctx context.Context, echo *client.EchoClient) {
	operation, err := echo.Wait(ctx, &genproto.WaitRequest{End: &genproto.WaitRequest_Ttl{Ttl: durationpb.New(200 * time.Millisecond)},
		Response: &genproto.WaitRequest_Success{Success: &genproto.WaitResponse{Content: "waited"}}})
	told("Wait", err)
	if err != nil {
		return
	}
	answer, err := operation.Wait(ctx)
	told("Wait's operation", err)
	told("Wait's result", expect("content", "waited", answer.GetContent()))

	operation, err = echo.Wait(ctx, &genproto.WaitRequest{End: &genproto.WaitRequest_Ttl{Ttl: durationpb.New(time.Millisecond)},
		Response: &genproto.WaitRequest_Error{Error: &rpcstatus.Status{Code: int32(codes.Aborted), Message: "in vain"}}})
	told("Wait for an error", err)
	if err != nil {
		return
	}
	if _, err = operation.Wait(ctx); err == nil || !strings.Contains(err.Error(), "in vain") {
		told("Wait for an error", fmt.Errorf("wanted an error, got %v", err))
	}
}

// mixins: services whose paths are in the API's service YAML only.
func mixins(ctx context.Context, echo *client.EchoClient) {
	places, err := all(echo.ListLocations(ctx, &location.ListLocationsRequest{Name: "projects/p"}).Next)
	told("ListLocations", err)
	told("ListLocations' answer", expect("there are some", true, len(places) > 0))
	place, err := echo.GetLocation(ctx, &location.GetLocationRequest{Name: "projects/p/locations/somewhere"})
	told("GetLocation", err)
	told("GetLocation's answer", expect("name", "projects/p/locations/somewhere", place.GetName()))

	policy := &iampb.Policy{Version: 1, Bindings: []*iampb.Binding{{Role: "roles/reader", Members: []string{"user:a@example.com"}}}}
	for _, resource := range []string{"users/u", "rooms/r", "rooms/r/blurbs/b", "sequences/s"} {
		set, err := echo.SetIamPolicy(ctx, &iampb.SetIamPolicyRequest{Resource: resource, Policy: policy})
		told("SetIamPolicy of "+resource, err)
		told("SetIamPolicy's answer", same(policy, set))
		got, err := echo.GetIamPolicy(ctx, &iampb.GetIamPolicyRequest{Resource: resource, Options: &iampb.GetPolicyOptions{RequestedPolicyVersion: 1}})
		told("GetIamPolicy of "+resource, err)
		told("GetIamPolicy's answer", same(policy, got))
		_, err = echo.TestIamPermissions(ctx, &iampb.TestIamPermissionsRequest{Resource: resource, Permissions: []string{"read", "write"}})
		told("TestIamPermissions of "+resource, err)
	}

	operations, err := all(echo.ListOperations(ctx, &longrunningpb.ListOperationsRequest{Name: "operations", PageSize: 5}).Next)
	told("ListOperations", err)
	told("ListOperations' answer", expect("there are some", true, len(operations) > 0))
	told("CancelOperation", echo.CancelOperation(ctx, &longrunningpb.CancelOperationRequest{Name: "operations/a/b"}))
	told("DeleteOperation", echo.DeleteOperation(ctx, &longrunningpb.DeleteOperationRequest{Name: "operations/a/b"}))
}

func people(ctx context.Context, identity *client.IdentityClient, messaging *client.MessagingClient) {
	user := &genproto.User{DisplayName: "Ada", Email: "ada@example.com", Nickname: proto.String(""), Age: proto.Int32(36), HeightFeet: proto.Float64(5.5)}
	made, err := identity.CreateUser(ctx, &genproto.CreateUserRequest{User: user})
	told("CreateUser", err)
	if err != nil {
		return
	}
	told("CreateUser's answer: unset stays apart from empty", expect("optional fields", []bool{true, true, true, false},
		[]bool{made.Nickname != nil, made.Age != nil, made.HeightFeet != nil, made.EnableNotifications != nil}))
	got, err := identity.GetUser(ctx, &genproto.GetUserRequest{Name: made.GetName()})
	told("GetUser", err)
	told("GetUser's answer", same(made, got))
	made.DisplayName, made.EnableNotifications = "Ada L.", proto.Bool(false)
	updated, err := identity.UpdateUser(ctx, &genproto.UpdateUserRequest{User: made, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"display_name", "enable_notifications"}}})
	told("UpdateUser with a mask", err)
	_ = updated
	users, err := all(identity.ListUsers(ctx, &genproto.ListUsersRequest{PageSize: 1}).Next)
	told("ListUsers", err)
	told("ListUsers' answer", expect("users", true, len(users) >= 1))

	room, err := messaging.CreateRoom(ctx, &genproto.CreateRoomRequest{Room: &genproto.Room{DisplayName: "Study"}})
	told("CreateRoom", err)
	for _, parent := range []string{room.GetName(), made.GetName() + "/profile"} { // each has a path of its own
		blurb, err := messaging.CreateBlurb(ctx, &genproto.CreateBlurbRequest{Parent: parent, Blurb: &genproto.Blurb{
			User: made.GetName(), Content: &genproto.Blurb_Text{Text: "hello, world"}}})
		told("CreateBlurb in "+parent, err)
		image, err := messaging.CreateBlurb(ctx, &genproto.CreateBlurbRequest{Parent: parent, Blurb: &genproto.Blurb{
			User: made.GetName(), Content: &genproto.Blurb_Image{Image: []byte{0xfb, 0xff, 0}}}})
		told("CreateBlurb of bytes in "+parent, err)
		told("CreateBlurb's bytes", expect("image", []byte{0xfb, 0xff, 0}, image.GetImage()))
		found, err := messaging.GetBlurb(ctx, &genproto.GetBlurbRequest{Name: blurb.GetName()})
		told("GetBlurb of "+blurb.GetName(), err)
		told("GetBlurb's answer", same(blurb, found))
		blurb.Content = &genproto.Blurb_Text{Text: "changed"}
		_, err = messaging.UpdateBlurb(ctx, &genproto.UpdateBlurbRequest{Blurb: blurb})
		told("UpdateBlurb", err)
		blurbs, err := all(messaging.ListBlurbs(ctx, &genproto.ListBlurbsRequest{Parent: parent, PageSize: 1}).Next)
		told("ListBlurbs", err)
		told("ListBlurbs' answer", expect("blurbs", 2, len(blurbs)))
		told("DeleteBlurb", messaging.DeleteBlurb(ctx, &genproto.DeleteBlurbRequest{Name: image.GetName()}))
		if parent != room.GetName() { // the client sends a body there, and the schema has none
			continue
		}
		search, err := messaging.SearchBlurbs(ctx, &genproto.SearchBlurbsRequest{Parent: parent, Query: "changed"})
		told("SearchBlurbs", err)
		if err == nil {
			_, err = search.Wait(ctx)
			told("SearchBlurbs' operation", err)
		}
	}
	told("DeleteRoom", messaging.DeleteRoom(ctx, &genproto.DeleteRoomRequest{Name: room.GetName()}))
	told("DeleteUser", identity.DeleteUser(ctx, &genproto.DeleteUserRequest{Name: made.GetName()}))
	_, err = identity.GetUser(ctx, &genproto.GetUserRequest{Name: made.GetName()}, noRetry)
	var api *apierror.APIError
	if !errors.As(err, &api) || api.HTTPCode() != 404 {
		told("GetUser of nobody", fmt.Errorf("wanted HTTP's 404, got %v", err))
	}
}

// Attempts: the retries of Google's clients see what they need in the gateway's errors.
func sequences(ctx context.Context, sequence *client.SequenceClient) {
	fault := &rpcstatus.Status{Code: int32(codes.Unavailable), Message: "not yet"}
	made, err := sequence.CreateSequence(ctx, &genproto.CreateSequenceRequest{Sequence: &genproto.Sequence{
		Responses: []*genproto.Sequence_Response{{Status: fault}, {Status: fault}, {Status: &rpcstatus.Status{}}}}})
	told("CreateSequence", err)
	if err != nil {
		return
	}
	told("AttemptSequence", sequence.AttemptSequence(ctx, &genproto.AttemptSequenceRequest{Name: made.GetName()}, gax.WithRetry(func() gax.Retryer {
		return gax.OnHTTPCodes(gax.Backoff{Initial: 10 * time.Millisecond}, 503)
	})))
	report, err := sequence.GetSequenceReport(ctx, &genproto.GetSequenceReportRequest{Name: made.GetName() + "/sequenceReport"})
	told("GetSequenceReport", err)
	told("GetSequenceReport's answer", expect("attempts", 3, len(report.GetAttempts())))

	streamed, err := sequence.CreateStreamingSequence(ctx, &genproto.CreateStreamingSequenceRequest{StreamingSequence: &genproto.StreamingSequence{
		Content: "a b c", Responses: []*genproto.StreamingSequence_Response{{Status: &rpcstatus.Status{}, ResponseIndex: 3}}}})
	told("CreateStreamingSequence", err)
	if err != nil {
		return
	}
	stream, err := sequence.AttemptStreamingSequence(ctx, &genproto.AttemptStreamingSequenceRequest{Name: streamed.GetName()})
	told("AttemptStreamingSequence", err)
	if err != nil {
		return
	}
	var words []string
	for {
		answer, err := stream.Recv()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				told("AttemptStreamingSequence's end", err)
			}
			break
		}
		words = append(words, answer.GetContent())
	}
	told("AttemptStreamingSequence's answers", expect("words", "a b c", strings.Join(words, " ")))
}

func sessions(ctx context.Context, testing *client.TestingClient) {
	session, err := testing.CreateSession(ctx, &genproto.CreateSessionRequest{Session: &genproto.Session{Version: genproto.Session_V1_LATEST}})
	told("CreateSession", err)
	if err != nil {
		return
	}
	got, err := testing.GetSession(ctx, &genproto.GetSessionRequest{Name: session.GetName()})
	told("GetSession", err)
	told("GetSession's answer", same(session, got))
	_, err = testing.ReportSession(ctx, &genproto.ReportSessionRequest{Name: session.GetName()})
	told("ReportSession", err)
	_, err = all(testing.ListTests(ctx, &genproto.ListTestsRequest{Parent: session.GetName()}).Next)
	told("ListTests", err)
	told("DeleteSession", testing.DeleteSession(ctx, &genproto.DeleteSessionRequest{Name: session.GetName()}))
}

// ----------------------------------------------------------------------------------------------------------

// noRetry: what a client would try again, it does not.
var noRetry = gax.WithRetry(func() gax.Retryer { return nil })

func calls(gateway, address string) error {
	if err := serve(address); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	to := []option.ClientOption{option.WithEndpoint("http://" + gateway), option.WithoutAuthentication()}
	compliance, err := client.NewComplianceRESTClient(ctx, to...)
	if err != nil {
		return err
	}
	echo, err := client.NewEchoRESTClient(ctx, to...)
	if err != nil {
		return err
	}
	identity, err := client.NewIdentityRESTClient(ctx, to...)
	if err != nil {
		return err
	}
	messaging, err := client.NewMessagingRESTClient(ctx, to...)
	if err != nil {
		return err
	}
	sequence, err := client.NewSequenceRESTClient(ctx, to...)
	if err != nil {
		return err
	}
	testing, err := client.NewTestingRESTClient(ctx, to...)
	if err != nil {
		return err
	}
	suite(ctx, compliance)
	spelled(ctx, gateway)
	echoes(ctx, echo)
	people(ctx, identity, messaging)
	sequences(ctx, sequence)
	sessions(ctx, testing)
	fmt.Printf("%d passed, %d failed\n", passed, failed)
	if failed > 0 || passed == 0 {
		return errors.New("not all is good")
	}
	return nil
}

func main() {
	var err error
	switch {
	case len(os.Args) == 3 && os.Args[1] == "descriptors":
		err = writeDescriptors(os.Args[2])
	case len(os.Args) == 4 && os.Args[1] == "calls":
		err = calls(os.Args[2], os.Args[3])
	default:
		err = errors.New("showcase descriptors FILE | calls GATEWAY SERVER")
	}
	if err != nil {
		log.Fatal(err)
	}
}
