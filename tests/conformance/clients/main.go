// Command clients calls the methods of gRPC's interop service, one of each kind, with grpc-go and with connect-go in all
// protocols and codecs that it has, over HTTP/1.1 and HTTP/2.   clients HOST:PORT
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"connectrpc.com/connect"
	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	pb "google.golang.org/grpc/interop/grpc_testing"
)

const service = "/grpc.testing.TestService/"

func payload(size int) *pb.Payload { return &pb.Payload{Body: make([]byte, size)} }

func sized(sizes ...int32) *pb.StreamingOutputCallRequest {
	request := &pb.StreamingOutputCallRequest{Payload: payload(int(sizes[0]))}
	for _, size := range sizes {
		request.ResponseParameters = append(request.ResponseParameters, &pb.ResponseParameters{Size: size})
	}
	return request
}

func expect(what string, wanted, got int) error {
	if wanted != got {
		return fmt.Errorf("%s: wanted %d, got %d", what, wanted, got)
	}
	return nil
}

// A case is one kind of method; nil when all was as it should be.
type testCase struct {
	name string
	run  func(ctx context.Context) error
}

func grpcCases(target string) ([]testCase, error) {
	connection, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	client := pb.NewTestServiceClient(connection)
	return []testCase{
		{"unary", func(ctx context.Context) error {
			answer, err := client.UnaryCall(ctx, &pb.SimpleRequest{ResponseSize: 314159, Payload: payload(271828)})
			if err != nil {
				return err
			}
			return expect("body", 314159, len(answer.GetPayload().GetBody()))
		}},
		{"client stream", func(ctx context.Context) error {
			stream, err := client.StreamingInputCall(ctx)
			if err != nil {
				return err
			}
			for _, size := range []int{27182, 8, 1828, 45904} {
				if err := stream.Send(&pb.StreamingInputCallRequest{Payload: payload(size)}); err != nil {
					return err
				}
			}
			answer, err := stream.CloseAndRecv()
			if err != nil {
				return err
			}
			return expect("size", 74922, int(answer.GetAggregatedPayloadSize()))
		}},
		{"server stream", func(ctx context.Context) error {
			stream, err := client.StreamingOutputCall(ctx, sized(31415, 9, 2653, 58979))
			if err != nil {
				return err
			}
			total := 0
			for {
				answer, err := stream.Recv()
				if errors.Is(err, io.EOF) {
					return expect("bytes", 31415+9+2653+58979, total)
				}
				if err != nil {
					return err
				}
				total += len(answer.GetPayload().GetBody())
			}
		}},
		{"both ways", func(ctx context.Context) error {
			stream, err := client.FullDuplexCall(ctx)
			if err != nil {
				return err
			}
			for _, size := range []int32{31415, 9, 2653, 58979} {
				if err := stream.Send(sized(size)); err != nil {
					return err
				}
				answer, err := stream.Recv()
				if err != nil {
					return err
				}
				if err := expect("body", int(size), len(answer.GetPayload().GetBody())); err != nil {
					return err
				}
			}
			if err := stream.CloseSend(); err != nil {
				return err
			}
			if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
				return fmt.Errorf("the end: %w", err)
			}
			return nil
		}},
	}, nil
}

func connectCases(http1 bool, client *http.Client, url string, options ...connect.ClientOption) []testCase {
	unary := connect.NewClient[pb.SimpleRequest, pb.SimpleResponse](client, url+service+"UnaryCall", options...)
	input := connect.NewClient[pb.StreamingInputCallRequest, pb.StreamingInputCallResponse](
		client, url+service+"StreamingInputCall", options...)
	output := connect.NewClient[pb.StreamingOutputCallRequest, pb.StreamingOutputCallResponse](
		client, url+service+"StreamingOutputCall", options...)
	duplex := connect.NewClient[pb.StreamingOutputCallRequest, pb.StreamingOutputCallResponse](
		client, url+service+"FullDuplexCall", options...)
	cases := []testCase{
		{"unary", func(ctx context.Context) error {
			answer, err := unary.CallUnary(ctx, connect.NewRequest(&pb.SimpleRequest{ResponseSize: 314159, Payload: payload(271828)}))
			if err != nil {
				return err
			}
			return expect("body", 314159, len(answer.Msg.GetPayload().GetBody()))
		}},
		{"client stream", func(ctx context.Context) error {
			stream := input.CallClientStream(ctx)
			for _, size := range []int{27182, 8, 1828, 45904} {
				if err := stream.Send(&pb.StreamingInputCallRequest{Payload: payload(size)}); err != nil {
					return err
				}
			}
			answer, err := stream.CloseAndReceive()
			if err != nil {
				return err
			}
			return expect("size", 74922, int(answer.Msg.GetAggregatedPayloadSize()))
		}},
		{"server stream", func(ctx context.Context) error {
			stream, err := output.CallServerStream(ctx, connect.NewRequest(sized(31415, 9, 2653, 58979)))
			if err != nil {
				return err
			}
			total := 0
			for stream.Receive() {
				total += len(stream.Msg().GetPayload().GetBody())
			}
			if stream.Err() != nil {
				return stream.Err()
			}
			return expect("bytes", 31415+9+2653+58979, total)
		}},
		{"error", func(ctx context.Context) error {
			_, err := unary.CallUnary(ctx, connect.NewRequest(&pb.SimpleRequest{
				ResponseStatus: &pb.EchoStatus{Code: int32(connect.CodeDataLoss), Message: "\t\nlost ☺\n"}}))
			var told *connect.Error
			if !errors.As(err, &told) || told.Code() != connect.CodeDataLoss || told.Message() != "\t\nlost ☺\n" {
				return fmt.Errorf("got %w", err)
			}
			return nil
		}},
	}
	if http1 { // connect-go has no streams in both directions there
		return cases
	}
	return append(cases, testCase{"both ways", func(ctx context.Context) error {
		stream := duplex.CallBidiStream(ctx)
		for _, size := range []int32{31415, 9, 2653, 58979} {
			if err := stream.Send(sized(size)); err != nil {
				return err
			}
			answer, err := stream.Receive()
			if err != nil {
				return err
			}
			if !bytes.Equal(answer.GetPayload().GetBody(), make([]byte, size)) {
				return fmt.Errorf("another body of %d bytes", len(answer.GetPayload().GetBody()))
			}
		}
		if err := stream.CloseRequest(); err != nil {
			return err
		}
		if _, err := stream.Receive(); !errors.Is(err, io.EOF) {
			return fmt.Errorf("the end: %w", err)
		}
		return stream.CloseResponse()
	}})
}

var passed, failed int

func runAll(client string, cases []testCase) {
	for _, c := range cases {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		err := c.run(ctx)
		cancel()
		if err != nil {
			failed++
			fmt.Printf("FAILED  %s: %s: %v\n", client, c.name, err)
		} else {
			passed++
			fmt.Printf("ok      %s: %s\n", client, c.name)
		}
	}
}

func main() {
	target := os.Args[1]
	cases, err := grpcCases(target)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	runAll("grpc-go", cases)

	cleartext := &http2.Transport{AllowHTTP: true,
		DialTLSContext: func(_ context.Context, network, address string, _ *tls.Config) (net.Conn, error) {
			return net.Dial(network, address)
		}}
	options := map[string][]connect.ClientOption{
		"Connect": nil, "Connect, JSON, gzip": {connect.WithProtoJSON(), connect.WithSendGzip()},
		"gRPC-Web": {connect.WithGRPCWeb()}, "gRPC-Web, JSON": {connect.WithGRPCWeb(), connect.WithProtoJSON()},
	}
	for name, some := range options {
		runAll("connect-go, HTTP/1.1, "+name, connectCases(true, &http.Client{}, "http://"+target, some...))
		runAll("connect-go, HTTP/2, "+name, connectCases(false, &http.Client{Transport: cleartext}, "http://"+target, some...))
	}
	for name, some := range map[string][]connect.ClientOption{
		"gRPC": {connect.WithGRPC()}, "gRPC, JSON, gzip": {connect.WithGRPC(), connect.WithProtoJSON(), connect.WithSendGzip()},
	} {
		runAll("connect-go, HTTP/2, "+name, connectCases(false, &http.Client{Transport: cleartext}, "http://"+target, some...))
	}
	fmt.Printf("%d passed, %d failed\n", passed, failed)
	if failed > 0 {
		os.Exit(1)
	}
}
