// An ext_authz authorizer over gRPC that says yes to everything: what asking costs, whatever is asked.
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"os"

	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
)

type yes struct {
	auth.UnimplementedAuthorizationServer
}

var answer = &auth.CheckResponse{
	Status:       &status.Status{},
	HttpResponse: &auth.CheckResponse_OkResponse{OkResponse: &auth.OkHttpResponse{}},
}

func (yes) Check(context.Context, *auth.CheckRequest) (*auth.CheckResponse, error) {
	return answer, nil
}

func main() {
	listener, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer()
	auth.RegisterAuthorizationServer(server, yes{})
	fmt.Println("ready")
	log.Fatal(server.Serve(listener))
}
